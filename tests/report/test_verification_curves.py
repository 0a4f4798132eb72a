import cv2
import matplotlib.figure
import numpy as np
import pytest
from scipy.stats import norm

from reid_tf.errors import InputError
from reid_tf.report.verification_curves import det_curve_picture, roc_curve_picture
from reid_tf.retrieval.verification_metrics import verification_metrics

PICTURES = (roc_curve_picture, det_curve_picture)


@pytest.fixture(scope="module")
def metrics():
    generator = np.random.default_rng(0)

    def normal(middle, pairs):
        return generator.normal(middle, 0.2, pairs)

    return {
        "cosine distance": verification_metrics(normal(0.5, 300), normal(1, 4000)),
        "1 - verifier's probability": verification_metrics(normal(0.6, 300), normal(1, 4000)),
    }


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


def test_roc_is_in_percent_and_marks_the_chosen_rate(tmp_path, axes, metrics):
    roc_curve_picture(tmp_path / "report" / "roc.png", metrics, 0.01)
    assert cv2.imread(str(tmp_path / "report" / "roc.png")).shape == (720, 840, 3)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["roc.png"]
    *curves, guessing, mark = axes[0].get_lines()
    for (name, result), curve in zip(metrics.items(), curves, strict=True):
        rates, accepts = curve.get_data()
        assert (rates[0], rates[-1], accepts[-1]) == pytest.approx((100 / 4000, 100, 100))
        np.testing.assert_allclose(accepts, 100 * result.true_accepts(rates / 100 + 1e-15), atol=0.4)
        assert curve.get_label().startswith(f"{name}: equal error rate {100 * result.equal_error_rate:.1f} %")
    np.testing.assert_allclose(*guessing.get_data())
    first = metrics["cosine distance"]
    assert np.ravel(mark.get_data()) == pytest.approx([1, 100 * first.true_accepts(0.01)])
    assert f"up to {first.threshold(0.01):.4g}: 1 % false" in mark.get_label()
    assert axes[0].get_xscale() == "log"


def test_det_is_straight_for_normal_distances(tmp_path, axes, metrics):
    det_curve_picture(tmp_path / "det.png", metrics, 0.01)
    curve, _, _, mark = axes[0].get_lines()
    false, rejects = curve.get_data()
    middle = (false > norm.ppf(0.01)) & (false < norm.ppf(0.3))
    # Equal widths 0.2 and middles 0.5 apart: reject = -2.5 - accept, in deviates.
    np.testing.assert_allclose(rejects[middle], -2.5 - false[middle], atol=0.25)
    assert mark.get_xdata()[0] == pytest.approx(norm.ppf(0.01))
    assert norm.cdf(mark.get_ydata()[0]) == pytest.approx(1 - metrics["cosine distance"].true_accepts(0.01))
    places, texts = axes[0].get_xticks(), [label.get_text() for label in axes[0].get_xticklabels()]
    np.testing.assert_allclose(100 * norm.cdf(places), [float(text) for text in texts])


@pytest.mark.parametrize("picture", PICTURES)
def test_perfect_and_useless_distances_are_drawn(tmp_path, picture):
    perfect = verification_metrics([0.1] * 20, [0.9] * 200)
    useless = verification_metrics([0.5] * 20, [0.5] * 200)
    for result in (perfect, useless):
        picture(tmp_path / "curve.png", {"distance": result}, 0.1)
    assert cv2.imread(str(tmp_path / "curve.png")) is not None


@pytest.mark.parametrize("picture", PICTURES)
def test_refuses_what_makes_no_curve(tmp_path, metrics, picture):
    with pytest.raises(InputError, match=r"need a .png path .* Received: '.*roc\.pdf', \['cosine"):
        picture(tmp_path / "roc.pdf", metrics, 0.01)
    with pytest.raises(InputError, match=r"a comparison. Received: .*\[\]"):
        picture(tmp_path / "roc.png", {}, 0.01)
    assert not list(tmp_path.iterdir())
