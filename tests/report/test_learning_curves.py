import numpy as np
import pytest
from matplotlib.figure import Figure

from reid_tf.errors import InputError
from reid_tf.report.learning_curves import learning_curves

HISTORY = [
    {"epoch": 1, "loss": 9.0, "identity_loss": 6.0, "attributes_loss": 20.0, "learning_rate": 2e-5},
    {
        "epoch": 2,
        "loss": 5.0,
        "identity_loss": 3.0,
        "attributes_loss": 15.0,
        "val_attributes_loss": 16.0,
        "learning_rate": 2e-3,
        "identity_accuracy": 0.5,
        "val_mAP": 0.4,
        "val_mAP_single_camera": 0.6,
        "val_attributes_balanced_accuracy": 0.7,
        "embedding_active_triplets": 1.0,
    },
]


def test_a_panel_per_kind_and_a_line_per_name(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (figures.append(figure), save(figure, *a, **k)))
    learning_curves(tmp_path / "curves.png", HISTORY)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    shown = {
        axes.get_ylabel(): {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.lines}
        for axes in figures[0].axes
    }
    assert {title: set(lines) for title, lines in shown.items()} == {
        "loss": {"loss", "identity loss", "attributes loss", "val attributes loss"},
        "learning rate": {"learning rate"},
        "validation, %": {"val mAP", "val mAP single camera"},
        "accuracy, %": {"identity accuracy", "val attributes balanced accuracy"},
    }
    np.testing.assert_allclose(shown["validation, %"]["val mAP"], [[2], [40]])
    np.testing.assert_allclose(shown["loss"]["attributes loss"], [[1, 2], [20, 15]])
    of_training, of_validation = (
        next(line for line in figures[0].axes[0].lines if line.get_label() == name)
        for name in ("attributes loss", "val attributes loss")
    )
    assert of_training.get_color() == of_validation.get_color()
    assert [axes.get_yscale() for axes in figures[0].axes] == ["linear", "log", "linear", "linear"]


def test_what_was_not_logged_has_no_panel(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (figures.append(figure), path.touch()))
    learning_curves(tmp_path / "curves.png", [{"epoch": 1, "stage1_loss": np.nan, "loss": 1.0}])
    assert [axes.get_ylabel() for axes in figures[0].axes] == ["loss"]
    assert [line.get_label() for line in figures[0].axes[0].lines] == ["loss"]


@pytest.mark.parametrize(("name", "history"), [("curves.pdf", HISTORY), ("curves.png", [])])
def test_what_cannot_be_drawn(tmp_path, name, history):
    with pytest.raises(InputError, match=rf"\.png path and at least one epoch\. Received: .*{name}.*{len(history)} ep"):
        learning_curves(tmp_path / name, history)
