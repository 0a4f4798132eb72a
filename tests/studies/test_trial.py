import json

import pandas as pd
import pytest

from reid_tf.config import load_config, parse_config
from reid_tf.datasets.load import load_dataset
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.studies.trial import train_trial
from reid_tf.training import callbacks
from reid_tf.training.evaluation import RetrievalEvaluation
from reid_tf.training.train import train


class Interruption(callbacks.LearningRate):
    """Ends the run as somebody at the keyboard would, in its second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Interrupts."""
        if epoch == 1:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A recipe on images of which those of the test set are none."""
    dataset = {"identities": 12, "images_per_identity": 6, "root": str(tmp_path_factory.mktemp("cache"))}
    loaded = load_dataset("synthetic", **dataset)
    for record in (*loaded.query, *loaded.gallery):
        with open(record.path, "wb") as file:
            file.write(b"not an image")
    return {
        "dataset": {"name": "synthetic", **dataset},
        "image_size": [32, 16],
        "batches": {"name": "images", "batch_size": 8},
        "backbone": {"name": "tiny", "width": 4},
        "model": {"name": "baseline", "embedding_dim": 8},
        "optimizer": {"name": "sgd", "learning_rate": 0.05},
        "schedule": {"name": "constant"},
        "epochs": 3,
        "evaluation": {"validation": {"name": "held_out", "share": 0.4}, "every": 1},
    }


@pytest.mark.slow
def test_a_trial_is_its_best_validation_and_reads_no_test_image(tree, tmp_path, monkeypatch):
    config = parse_config(tree)
    with pytest.raises(InputError, match="is not a valid JPEG"):
        train(config, tmp_path / "judged")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(callbacks, "LearningRate", Interruption)
        train_trial(config, tmp_path / "a")
    found = train_trial(config, tmp_path / "a", resume=True)
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"config.yaml", "manifest.json", "validation.json", "history.csv", "logs"}
    history = pd.read_csv(tmp_path / "a" / "history.csv")
    assert list(history["epoch"]) == [1, 2, 3]
    best = history.loc[history["val_mAP"].idxmax()]
    assert found == {"epoch": best["epoch"], "val_mAP": best["val_mAP"], "val_rank1": best["val_rank1"]}
    assert json.loads((tmp_path / "a" / "validation.json").read_text()) == found
    assert load_config(tmp_path / "a" / "config.yaml") == config
    with pytest.raises(InputError, match="holds no encoder"):
        load_encoder(tmp_path / "a")


def test_a_trial_without_a_validation_of_its_own_is_refused(tree, tmp_path, monkeypatch):
    for validation in (None, {"name": "test"}):
        config = parse_config({**tree, "evaluation": {"validation": validation}})
        with pytest.raises(InputError, match="never on the test set: .* Received: evaluation.validation=(None|.*test)"):
            train_trial(config, tmp_path / "a")
    monkeypatch.setattr(RetrievalEvaluation, "score", "val_PCK")
    with pytest.raises(InputError, match="judged by val_mAP, and the model 'baseline' by val_PCK"):
        train_trial(parse_config(tree), tmp_path / "a")
    monkeypatch.setattr(RetrievalEvaluation, "score", "val_mAP")
    monkeypatch.setattr("reid_tf.studies.trial.Fitting.fit", lambda self: None)
    with pytest.raises(InputError, match="No epoch of the trial has a finite val_mAP. Received: 0 epochs"):
        train_trial(parse_config(tree), tmp_path / "a")
    assert not (tmp_path / "a").exists()
