"""From image files to a finished run, resumed runs and broken inputs: at a tiny size, with everything real."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from reid_tf.config import ExperimentConfig, load_config, parse_config
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.load import load_dataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.runtimes.keras_model import model_identity
from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import evaluate
from reid_tf.training.experiment import build_experiment
from reid_tf.training.train import train

pytestmark = pytest.mark.slow

P_TIMES_K = {"name": "identities", "identities_per_batch": 4, "images_per_identity": 3}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder that the synthetic pedestrians are drawn into once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def recipe(cache) -> ExperimentConfig:
    return parse_config(
        {
            "dataset": {"name": "synthetic", "root": str(cache), "identities": 12, "images_per_identity": 6},
            "image_size": [32, 16],
            "augment": [{"name": "flip"}, {"name": "random_crop", "padding": 2}, {"name": "random_erasing"}],
            "batches": {"name": "pairs", "batch_size": 16},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "multitask", "embedding_dim": 8, "dropout": 0.2},
            "optimizer": {"name": "sgd", "learning_rate": 0.05},
            "schedule": {"name": "cosine"},
            "epochs": 3,
            "evaluation": {"validation": {"name": "held_out", "share": 0.4}, "every": 1, "ranked_lists": 2},
        }
    )


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    return train(recipe, tmp_path_factory.mktemp("runs") / "a")


def weights(run, name="encoder"):
    return keras.models.load_model(run / f"{name}.keras", compile=False).get_weights()


def test_a_run_directory_is_complete(finished, recipe):
    run = finished.run_directory
    names = {path.name for path in run.iterdir()}
    assert names == {
        "config.yaml", "manifest.json", "metrics.json", "history.csv", "model.keras", "encoder.keras", "verifier.keras",
        "checkpoints", "report", "logs",
    }  # fmt: skip
    assert {path.name for path in (run / "report").iterdir()} == {
        "ranked_lists.png", "cmc.png", "per_query.csv", "verification.csv", "tables.md", "cameras.csv",
        "learning_curves.png",
    }  # fmt: skip
    assert load_config(run / "config.yaml") == recipe
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["seed"] == recipe.seed
    assert manifest["versions"]["keras"] == keras.__version__
    assert len(manifest["data_hash"]) == 64
    assert set(manifest["checksums"]) == {"model.keras", "encoder.keras", "verifier.keras"}
    history = pd.read_csv(run / "history.csv")
    assert list(history["epoch"]) == [1, 2, 3]
    assert {"loss", "identity_a_accuracy", "verification_loss", "learning_rate", "val_mAP", "val_rank1"} <= set(history)


def test_the_fingerprint_is_that_of_the_saved_encoder(finished):
    """It was taken in training, and any version of the package finds the same in the file."""
    loaded = load_encoder(finished.run_directory)
    manifest = json.loads((finished.run_directory / "manifest.json").read_text())
    assert loaded.fingerprint.to_dict() == manifest["encoder"]["fingerprint"]
    saved = keras.models.load_model(finished.run_directory / "encoder.keras", compile=False)
    assert model_identity(saved) == loaded.fingerprint.weights


def test_metrics_are_those_of_the_saved_encoder(finished, recipe):
    metrics = json.loads((finished.run_directory / "metrics.json").read_text())
    assert set(metrics["references"]) == {"untrained_encoder", "colour_histogram"}
    encoder = load_encoder(finished.run_directory)
    options = dict(recipe.dataset)
    dataset = load_dataset(options.pop("name"), **options)
    query, gallery = (embed(encoder, records, verbose=0) for records in (dataset.query, dataset.gallery))
    again = evaluate(query, gallery, encoder.distance).to_dict()
    assert again["mAP"] == pytest.approx(metrics["mAP"], abs=1e-6)
    assert again["valid_queries"] == metrics["valid_queries"] == len(dataset.query)


def test_training_and_test_identities_are_disjoint(recipe):
    options = dict(recipe.dataset)
    dataset = load_dataset(options.pop("name"), **options)
    trained = {record.identity for record in dataset.train}
    assert not trained & {record.identity for record in (*dataset.query, *dataset.gallery)}


def test_the_best_epoch_is_the_one_that_is_kept(finished):
    manifest = json.loads((finished.run_directory / "manifest.json").read_text())
    history = pd.read_csv(finished.run_directory / "history.csv")
    assert manifest["best_epoch_weights"] == f"epoch-{history['val_mAP'].idxmax() + 1:04d}.weights.h5"


def test_the_loss_falls(recipe, tmp_path):
    longer = dataclasses.replace(
        recipe, epochs=12, augment=(), evaluation=dataclasses.replace(recipe.evaluation, validation=None, every=None)
    )
    history = train(longer, tmp_path / "a").history
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]


def apart(weights_a, weights_b) -> float:
    return float(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(weights_a, weights_b, strict=True))))


def test_two_runs_of_one_seed_are_equal_and_another_seed_differs(finished, recipe, tmp_path):
    """Equal but for the order of sums on several cores, which training magnifies."""
    first = weights(finished.run_directory)
    again = weights(train(recipe, tmp_path / "same").run_directory)
    other = weights(train(dataclasses.replace(recipe, seed=2), tmp_path / "other").run_directory)
    assert apart(first, again) < 0.05 * apart(first, other)


def test_an_interrupted_run_resumes_to_the_same_weights(finished, recipe, tmp_path, monkeypatch):
    from reid_tf.training import callbacks

    class Interruption(callbacks.LearningRate):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(callbacks, "LearningRate", Interruption)
        train(recipe, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(InputError, match="holds an interrupted run"):
        train(recipe, tmp_path / "a")
    with pytest.raises(InputError, match="another configuration, with seed=1; .* Received: seed=5"):
        train(dataclasses.replace(recipe, seed=5), tmp_path / "a", resume=True)
    path = tmp_path / "a.unfinished" / "checkpoints" / "state.json"
    state = json.loads(path.read_text())
    assert state["seconds"] > 0
    path.write_text(json.dumps({**state, "seconds": 1000.0}))
    resumed = train(recipe, tmp_path / "a", resume=True)
    assert [entry["epoch"] for entry in resumed.history] == [1, 2, 3]
    assert json.loads((tmp_path / "a" / "manifest.json").read_text())["seconds"] > 1000
    whole, in_parts = (weights(run.run_directory, "model") for run in (finished, resumed))
    untrained = build_experiment(recipe).system.model.get_weights()
    # Two of three epochs were repeated; another order, or an optimizer that forgot its momentum, is 0.2 or more off.
    assert apart(whole, in_parts) < 0.05 * apart(whole, untrained)


def test_a_nan_loss_stops_with_a_sentence_and_keeps_the_checkpoint(recipe, tmp_path):
    schedule = {"name": "step", "warmup_epochs": 1, "warmup_factor": 1e-30}  # the first epoch changes nothing
    diverging = dataclasses.replace(recipe, optimizer={"name": "sgd", "learning_rate": 1e20}, schedule=schedule)
    with pytest.raises(InputError, match=r"The loss became (nan|inf) in epoch 2, step \d+;.*checkpoint"):
        train(diverging, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    state = json.loads((tmp_path / "a.unfinished" / "checkpoints" / "state.json").read_text())
    assert state["epoch"] == 1
    assert (tmp_path / "a.unfinished" / "checkpoints" / state["last"]).exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss_weights": {"verificaton": 1.0}}, "'verificaton'. Did you mean 'verification'"),
        ({"batches": {"name": "images", "batch_size": 4}}, "takes batches of pairs or identity_pairs"),
        ({"image_size": (4, 4)}, r"\(4, 4\)"),
        (
            {"model": {"name": "triplet"}, "batches": {**P_TIMES_K, "images_per_identity": 1}},
            "needs two identities, and two images of one of them.* Received: .*'images_per_identity': 1.* on 1 replica",
        ),
        ({"model": {"name": "triplet"}, "batches": {**P_TIMES_K, "identities_per_batch": 1}}, "needs two identities"),
        ({"model": {"name": "triplet"}, "batches": {**P_TIMES_K, "identities_per_batch": 99}}, "number .*Received: 99"),
        ({"steps_per_epoch": 1000}, "steps_per_epoch must be at most .* Received: 1000"),
        ({"backbone": {"name": "tiny", "weights": "none.weights.h5"}}, "none.weights.h5"),
    ],
)
def test_what_is_wrong_is_said_before_training(recipe, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        train(dataclasses.replace(recipe, **change), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_an_empty_query_set_is_said_before_training(recipe, cache, tmp_path):
    folder = next(cache.glob("synthetic-*"))
    copy = shutil.copytree(folder, tmp_path / "data")
    for path in (copy / "query").glob("*.jpg"):
        path.unlink()
    with pytest.raises(InputError, match="query"):
        train(dataclasses.replace(recipe, dataset={"name": "market1501", "root": str(copy)}), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_corrupt_image_is_named(recipe, cache, tmp_path):
    copy = shutil.copytree(next(cache.glob("synthetic-*")), tmp_path / "data")
    broken = sorted((copy / "bounding_box_train").glob("*.jpg"))[3]
    broken.write_bytes(b"<html>not an image</html>")
    config = dataclasses.replace(recipe, dataset={"name": "market1501", "root": str(copy)}, cache="none")
    with pytest.raises(InputError, match=broken.name):
        train(config, tmp_path / "a")
    assert not (tmp_path / "a").exists()


SYSTEMS = {
    "baseline": ({"name": "baseline", "embedding_dim": 8}, {"name": "images", "batch_size": 16}),
    "verification": ({"name": "verification", "embedding_dim": 8}, {"name": "pairs", "batch_size": 16}),
    "triplet": ({"name": "triplet", "identity": True, "batch_norm_neck": True}, P_TIMES_K),
    "sharenet": ({"name": "sharenet", "embedding_dim": 8, "shared_layers": 3}, P_TIMES_K),
    "attribute": ({"name": "attribute", "feature_dim": 8}, {"name": "images", "batch_size": 16}),
    "five outputs": (
        {
            "name": "multitask",
            "outputs": ["identity_a", "identity_b", "verification", "attributes", "embedding"],
            "embedding_dim": 8,
        },
        {**P_TIMES_K, "name": "identity_pairs", "images_per_identity": 4},
    ),
}


@pytest.mark.parametrize("system", ["baseline", "verification", "triplet"])
def test_other_systems_in_half_precision(recipe, tmp_path, system):
    model, batches = SYSTEMS[system]
    config = dataclasses.replace(recipe, model=model, batches=batches, precision="mixed_float16", epochs=1)
    result = train(config, tmp_path / "a")
    assert 0 <= result.metrics["trained_encoder"]["mAP"] <= 1
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("system", "precision"),
    [("sharenet", "mixed_float16"), ("attribute", "mixed_float16"), ("five outputs", "mixed_bfloat16")],
)
def test_attributes_are_judged_on_the_test_set_also_in_half_precision(recipe, tmp_path, system, precision):
    model, batches = SYSTEMS[system]
    config = dataclasses.replace(recipe, model=model, batches=batches, precision=precision, epochs=1)
    result = train(config, tmp_path / "a")
    assert {path.name for path in (tmp_path / "a" / "report").iterdir()} == {
        "ranked_lists.png", "cmc.png", "per_query.csv", "attributes.png", "attributes.csv",
        "verification.csv", "tables.md", "cameras.csv", "learning_curves.png",
    }  # fmt: skip
    written = json.loads((tmp_path / "a" / "metrics.json").read_text())["attributes"]
    assert written == result.attributes.to_dict()
    assert 0 < written["mean_attributes"]["balanced_accuracy"] < 1
    encoder = load_encoder(tmp_path / "a")
    assert encoder.attributes.schema == MARKET1501_SCHEMA
    if system == "attribute":
        history = pd.read_csv(tmp_path / "a" / "history.csv")
        joint = 12 / 13 * history["attributes_accuracy"] + history["identity_accuracy"] / 13
        np.testing.assert_allclose(history["joint_accuracy"], joint, rtol=1e-6)


def test_validation_by_the_attribute_papers_split_and_two_protocols(recipe, tmp_path):
    evaluation = dataclasses.replace(
        recipe.evaluation,
        validation={"name": "by_order", "share": 0.6, "queries": 10},
        validation_protocols=("single_camera", "market1501"),
    )
    history = train(dataclasses.replace(recipe, evaluation=evaluation, epochs=1), tmp_path / "a").history
    assert {"val_mAP", "val_rank1", "val_mAP_market1501", "val_rank1_market1501"} <= set(history[0])
    assert history[0]["val_mAP"] != history[0]["val_mAP_market1501"]


def test_a_training_step_compiles_with_xla(recipe, tmp_path):
    result = train(dataclasses.replace(recipe, xla=True, epochs=1), tmp_path / "a")
    assert np.isfinite(result.history[0]["loss"])


def test_an_encoder_takes_arrays_of_any_size_and_paths(finished, recipe):
    encoder = load_encoder(finished.run_directory)
    options = dict(recipe.dataset)
    records = load_dataset(options.pop("name"), **options).query[:3]
    from_paths = encoder([record.path for record in records])
    embedded = embed(encoder, records, verbose=0)
    assert isinstance(embedded, Embeddings)
    np.testing.assert_allclose(from_paths, embedded.vectors, rtol=1e-4, atol=1e-5)
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (height, 20, 3), dtype=np.uint8) for height in (40, 64, 9)]
    together, alone = encoder(arrays), np.concatenate([encoder([array]) for array in arrays])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    assert encoder([]).shape == (0, encoder.dim)


def test_flip_averaging_is_the_mean_of_both_views(finished):
    encoder = load_encoder(finished.run_directory)
    image = np.random.default_rng(0).integers(0, 255, (32, 16, 3), dtype=np.uint8)
    expected = (encoder([image]) + encoder([image[:, ::-1]])) / 2
    encoder = encoder.with_options(flip=True)
    np.testing.assert_allclose(encoder([image]), expected, rtol=1e-5, atol=1e-6)


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="is not a finished run: there is no"):
        load_encoder(tmp_path / "nothing")
