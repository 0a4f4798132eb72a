import subprocess
import sys

import cv2
import matplotlib.figure
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report.curves import cmc_curve
from reid_tf.retrieval import Embeddings, evaluate


def metrics_of(seed, max_rank=50, **options):
    generator = np.random.default_rng(seed)
    query, gallery = (
        Embeddings(generator.normal(size=(count, 4)), np.arange(count) % 9, np.full(count, camera))
        for count, camera in ((30, 1), (60, 2))
    )
    return evaluate(query, gallery, max_rank=max_rank, **options)


@pytest.fixture
def axes(monkeypatch):
    """The axes of every figure that is drawn."""
    seen = []
    original = matplotlib.figure.Figure.savefig

    def remember(self, *arguments, **options):
        seen.extend(self.axes)
        original(self, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", remember)
    return seen


def test_draws_every_encoder_up_to_rank_20(tmp_path, axes):
    first, second = metrics_of(0), metrics_of(1, max_rank=12)
    figures = metrics_of(2).to_dict()
    cmc_curve(tmp_path / "report" / "cmc.png", {"trained": first, "untrained": second, "reported": figures})
    picture = cv2.imread(str(tmp_path / "report" / "cmc.png"))
    assert picture.shape == (600, 840, 3)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["cmc.png"]
    lines = axes[0].get_lines()
    np.testing.assert_array_equal(lines[0].get_xdata(), np.arange(1, 21))
    np.testing.assert_allclose(lines[0].get_ydata(), 100 * first.cmc[:20])
    np.testing.assert_array_equal(lines[1].get_xdata(), np.arange(1, 13))
    np.testing.assert_array_equal(lines[2].get_xdata(), [1, 5, 10])
    np.testing.assert_allclose(lines[2].get_ydata(), [100 * figures[key] for key in ("rank1", "rank5", "rank10")])
    assert lines[0].get_label() == (
        f"trained: rank-1 {first.rank(1):.1%}, mAP (step) {first.mean_average_precision:.1%}"
    )


def test_a_drawn_curve_has_a_band_of_its_spread(tmp_path, axes):
    drawn = metrics_of(0, max_rank=6, protocol="cuhk03_single_shot", draws=20)
    cmc_curve(tmp_path / "cmc.png", {"drawn": drawn, "whole": metrics_of(1)})
    (band,) = axes[0].collections
    corners = band.get_paths()[0].vertices
    assert drawn.cmc_spread[0] > 0
    for edge in (drawn.cmc - drawn.cmc_spread, drawn.cmc + drawn.cmc_spread):
        for rank, share in enumerate(edge, 1):
            assert np.isclose(corners, [rank, 100 * share]).all(axis=1).any()


def test_the_same_curve_is_the_same_file(tmp_path):
    for name in ("a.png", "b.png"):
        cmc_curve(tmp_path / name, {"trained": metrics_of(0)})
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_needs_no_pyplot():
    # pyplot looks for a display and keeps every figure until it is closed.
    code = "import sys, reid_tf.report.curves; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "metrics", "message"),
    [
        ("cmc.pdf", {"a": metrics_of(0)}, r"cmc\.pdf', \['a'\]"),
        ("cmc.png", {}, r"at least one encoder. Received: .*\[\]"),
        ("cmc.png", {"a": {"rank1": 0.5, "mAP": 0.2}}, "figures of 'a' lack rank5, rank10. Received: rank1, mAP"),
    ],
)
def test_refuses_what_makes_no_curve(tmp_path, name, metrics, message):
    with pytest.raises(InputError, match=message):
        cmc_curve(tmp_path / name, metrics)
    assert not list(tmp_path.iterdir())
