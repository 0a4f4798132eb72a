"""What validation writes into the logs, against what is computed by hand from the same images."""

import logging

import keras
import numpy as np
import pytest

import reid_tf
from reid_tf.config import load_config
from reid_tf.datasets.record import class_of_identity
from reid_tf.errors import InputError
from reid_tf.pipeline.build import build_batches
from reid_tf.registry import VALIDATIONS
from reid_tf.training.batches import tells_training_people
from reid_tf.training.experiment import build_experiment
from reid_tf.training.train import train
from reid_tf.training.validation import OutputValidation, Validation
from tests.test_docs import ROOT

SMALL = ["image_size=[32,16]", "augment=[]", "backbone.width=4", "model.embedding_dim=8", "cache=none"]
PEOPLE = [
    "dataset.identities=24",
    "dataset.images_per_identity=4",
    "evaluation.validation={name: held_out, share: 0.3}",
]
FEW = "batches.identities_per_batch=4"


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REID_TF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def experiment(name="multitask_synthetic", *overrides):
    config = load_config(ROOT / "configs" / f"{name}.yaml", [*SMALL, *PEOPLE, *overrides])
    return build_experiment(config)


def test_losses_and_metrics_are_those_of_the_held_out_images():
    built = experiment("multitask_synthetic", FEW)
    validation = OutputValidation(built.system, built.training, built.config)
    values = validation()
    assert validation() == values  # the same batches each time
    images = built.training.query + built.training.gallery
    held_out = {record.identity for record in images}
    assert not held_out & {record.identity for record in built.training.train}
    targets = {output: built.system.targets[output] for output in validation.outputs}
    batches = build_batches(
        images,
        class_of_identity(images),
        validation.sampler,
        image_size=(32, 16),
        inputs=built.system.inputs,
        targets=targets,
        seed=1,
        epochs=1,
        attribute_schema=built.training.attribute_schema,
    )
    entropies, right, of_attributes = [], [], []
    for inputs, labels in batches:
        outputs = built.system.model(inputs, training=False)
        same, different = np.asarray(outputs["verification"])[:, 0], np.asarray(labels["verification"])
        entropies.append(-np.mean(np.log(np.where(different == 0, same, 1 - same))))
        right.append((same < 0.5) == (different == 1))
        sigmoids = np.asarray(outputs["attributes"])
        of_each = -np.where(np.asarray(labels["attributes"]) == 1, np.log(sigmoids), np.log1p(-sigmoids))
        of_attributes.append(np.mean(np.sum(of_each, axis=-1)))
    assert len(entropies) == len(validation.sampler) > 1
    assert values["val_verification_loss"] == pytest.approx(np.mean(entropies), rel=1e-4)
    assert values["val_verification_accuracy"] == pytest.approx(np.mean(np.concatenate(right)))
    assert values["val_attributes_loss"] == pytest.approx(np.mean(of_attributes), rel=1e-4)
    assert {name.split("_")[1] for name in values} == {"verification", "attributes", "embedding"}


def test_outputs_over_the_training_people_have_no_value_on_others():
    built = experiment("multitask_synthetic", FEW)
    assert [tells_training_people(built.system, output) for output in built.system.losses] == [
        output in ("identity_a", "identity_b") for output in built.system.losses
    ]
    alone = experiment("baseline_synthetic", "batches.batch_size=8")
    assert OutputValidation(alone.system, alone.training, alone.config)() == {}


def test_one_output_has_no_prefix():
    built = experiment("verification_synthetic", "batches.batch_size=8")
    values = OutputValidation(built.system, built.training, built.config)()
    assert set(values) == {"val_loss", "val_accuracy"}


def test_every_few_epochs_and_at_the_end(caplog):
    calls = []
    validation = Validation([lambda: {"val_a": calls.append(1) or 0.5}, lambda: {"val_b": 1.0}], every=2)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with caplog.at_level(logging.INFO, "reid_tf"):
        history = model.fit(np.ones((2, 1)), np.ones((2, 1)), epochs=5, verbose=0, callbacks=[validation]).history
    assert len(calls) == 3  # after epochs 2, 4 and 5
    assert history["val_b"] == [1.0] * 3
    assert any(record.message.startswith("validation took ") for record in caplog.records)


@pytest.mark.slow
def test_the_last_epoch_is_kept_where_the_configuration_says_so(tmp_path):
    result = {}
    for keep in ("best", "last"):
        built = load_config(
            ROOT / "configs" / "multitask_synthetic.yaml",
            [
                *SMALL,
                *PEOPLE,
                FEW,
                "optimizer.learning_rate=0.5",
                "epochs=3",
                "evaluation.every=1",
                f"evaluation.keep={keep}",
            ],
        )
        result[keep] = train(built, tmp_path / keep)
    scores = [logs["val_mAP"] for logs in result["last"].history]
    assert scores == [logs["val_mAP"] for logs in result["best"].history]
    kept = {}
    split = VALIDATIONS.build(built.evaluation.validation, dataset=reid_tf.load_dataset(**built.dataset))
    for keep in result:
        encoder = reid_tf.load_encoder(tmp_path / keep)
        query, gallery = (reid_tf.embed(encoder, records, verbose=0) for records in (split.query, split.gallery))
        kept[keep] = reid_tf.evaluate(query, gallery, encoder.distance).mean_average_precision
    assert kept["best"] == pytest.approx(max(scores), abs=0.02)  # loaded, it is folded
    assert kept["last"] == pytest.approx(scores[-1], abs=0.02)


def test_an_interval_without_validation_is_refused(tmp_path):
    config = load_config(
        ROOT / "configs" / "multitask_synthetic.yaml",
        [*SMALL, *PEOPLE, "evaluation.validation=null", "evaluation.every=3"],
    )
    with pytest.raises(InputError, match=r"'evaluation.every' does nothing without .* Received: every=3"):
        train(config, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_watching_the_test_people_leaves_the_training_as_it_is(tmp_path):
    kept = []
    for validation in ("null", "{name: test}"):
        every = 1 if "test" in validation else "null"
        config = load_config(
            ROOT / "configs" / "multitask_synthetic.yaml",
            [*SMALL, *PEOPLE, FEW, "epochs=2", f"evaluation.validation={validation}", f"evaluation.every={every}"],
        )
        result = train(config, tmp_path / str(len(kept)))
        assert ("val_mAP" in result.history[-1]) == (every == 1)
        kept.append(keras.saving.load_model(result.run_directory / "encoder.keras", compile=False).get_weights())
    for alone, watched in zip(*kept, strict=True):
        np.testing.assert_array_equal(alone, watched)
