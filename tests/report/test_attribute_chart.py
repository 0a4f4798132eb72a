import itertools

import cv2
import matplotlib.figure
import numpy as np
import pytest

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.errors import InputError
from reid_tf.report.attribute_chart import attribute_chart
from reid_tf.retrieval.attribute_metrics import evaluate_attributes

SCHEMA = AttributeSchema(tuple(AttributeGroup(name, ("no", "yes")) for name in ("hat", "bag", "backpack", "handbag")))
# Balanced accuracy: hat 0.5, bag 0.75, backpack not to be judged, handbag without any label.
METRICS = evaluate_attributes(
    SCHEMA,
    [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]],
    [[0, 0, 1, -1], [1, 0, 1, -1], [0, 1, 1, -1], [1, 1, 1, -1]],
)


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


def test_bars_stand_sorted_by_balanced_accuracy(tmp_path, axes):
    attribute_chart(tmp_path / "report" / "attributes.png", METRICS)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["attributes.png"]
    (chart,) = axes
    assert [label.get_text() for label in chart.get_yticklabels()] == ["bag", "hat", "backpack (one class only)"]
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in chart.containers}
    assert widths == {
        "balanced accuracy": [75, 50, 0],
        "accuracy": [75, 50, 50],
        "positive share": [50, 50, 100],
    }
    assert chart.get_lines()[0].get_xdata() == [50, 50]  # guessing
    assert chart.get_ylim()[0] > chart.get_ylim()[1]  # the first one on top
    edges = sorted((bar.get_y(), bar.get_y() + bar.get_height()) for bars in chart.containers for bar in bars)
    assert all(bottom <= top + 1e-9 for (_, bottom), (top, _) in itertools.pairwise(edges))


def test_the_picture_grows_with_the_attributes(tmp_path):
    random = np.random.default_rng(0)
    answers = np.stack([random.integers(0, len(group.classes), 200) for group in MARKET1501_SCHEMA.groups], axis=1)
    metrics = evaluate_attributes(MARKET1501_SCHEMA, answers, answers[::-1])
    for name, drawn in (("many", metrics), ("again", metrics), ("few", METRICS)):
        attribute_chart(tmp_path / f"{name}.png", drawn)
    many, few = (cv2.imread(str(tmp_path / f"{name}.png")).shape for name in ("many", "few"))
    assert many[0] - few[0] == pytest.approx(27 * 0.32 * 120, abs=1)
    assert (tmp_path / "many.png").read_bytes() == (tmp_path / "again.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "metrics", "message"),
    [
        ("a.pdf", METRICS, r"a\.pdf', 3 labelled attributes"),
        ("a.png", evaluate_attributes(SCHEMA, [[0] * 4], [[-1] * 4]), r"a\.png', 0 labelled attributes"),
    ],
)
def test_refuses_what_makes_no_chart(tmp_path, name, metrics, message):
    with pytest.raises(InputError, match=message):
        attribute_chart(tmp_path / name, metrics)
    assert not list(tmp_path.iterdir())
