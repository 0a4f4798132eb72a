"""A training that follows a teacher: the right vectors for the right images, and a student that comes nearer."""

import dataclasses

import numpy as np
import pytest

from reid_tf.config import ExperimentConfig, parse_config
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.training import teacher
from reid_tf.training.experiment import build_experiment
from reid_tf.training.validation import OutputValidation


@pytest.fixture
def recipe(tmp_path_factory) -> ExperimentConfig:
    distilled = {"name": "distillation", "teacher": "runs/large"}
    return parse_config(
        {
            "dataset": {
                "name": "synthetic",
                "root": str(tmp_path_factory.getbasetemp() / "cache"),
                "identities": 12,
                "images_per_identity": 6,
            },
            "image_size": [32, 16],
            "batches": {"name": "identities", "identities_per_batch": 4, "images_per_identity": 3},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "triplet", "embedding_dim": 8, "metric_loss": [{"name": "triplet"}, distilled]},
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "schedule": {"name": "constant"},
            "epochs": 3,
            "evaluation": {"validation": {"name": "test"}, "every": 3, "batch_size": 32},
        }
    )


@pytest.fixture
def large(recipe, monkeypatch) -> Encoder:
    """The teacher: another width, another image size."""
    model = {"name": "triplet", "embedding_dim": 16}
    config = dataclasses.replace(recipe, model=model, image_size=(48, 24), seed=5)
    encoder = build_experiment(config).encoder()
    monkeypatch.setattr(teacher, "load_encoder", lambda run: {"runs/large": encoder}[run])
    return encoder


def test_every_image_has_the_vector_of_its_teacher(recipe, large):
    experiment = build_experiment(recipe)
    assert experiment.system.targets["embedding_distillation"] == "teacher"
    expected = embed(large, experiment.training.train, 32, 0).vectors
    batches = zip(experiment.sampler.epoch(0), experiment.batches().take(2), strict=False)
    for indices, (_, targets) in batches:
        np.testing.assert_allclose(targets["embedding_distillation"], expected[indices], rtol=1e-5)


def test_the_student_comes_nearer(recipe, large):
    experiment = build_experiment(recipe)
    history = (
        experiment.compile()
        .fit(experiment.batches(), epochs=3, steps_per_epoch=experiment.steps_per_epoch, verbose=0)
        .history["embedding_distillation_loss"]
    )
    assert history[-1] < history[0]


def test_the_teacher_is_asked_once(recipe, large, monkeypatch):
    experiment, asked = build_experiment(recipe), []
    monkeypatch.setattr(teacher, "embed", lambda *given, **options: asked.append(1) or embed(*given, **options))
    for _ in range(2):
        experiment.batches()
    assert len(asked) == 1


def test_validation_leaves_it_out(recipe, large):
    experiment = build_experiment(recipe)
    assert OutputValidation(experiment.system, experiment.training, experiment.config).outputs == ["embedding"]


def test_pairs_follow_a_teacher_too(recipe, large):
    model = {**recipe.model, "name": "multitask", "outputs": ("verification", "embedding")}
    batches = {"name": "identity_pairs", "identities_per_batch": 4, "images_per_identity": 2}
    experiment = build_experiment(dataclasses.replace(recipe, model=model, batches=batches))
    _, targets = next(iter(experiment.batches()))
    assert targets["embedding_distillation"].shape == (4, 2, 16)


def test_a_teacher_of_other_images_is_named(recipe, large, monkeypatch):
    class OfLandmarks:
        needs_landmarks, inputs = True, {"image": "image", "part_boxes": "part_boxes"}

    monkeypatch.setattr(teacher, "load_encoder", lambda run: OfLandmarks())
    experiment = build_experiment(dataclasses.replace(recipe, model={"name": "triplet", "embedding_dim": 8}))
    without = [dataclasses.replace(record, landmarks=None) for record in experiment.training.train]
    dataset = dataclasses.replace(experiment.training, train=tuple(without))
    system = build_experiment(recipe).system
    with pytest.raises(InputError, match=r"'runs/large' sees image and part_boxes, and (\d+) of \1 .* no landmarks"):
        teacher.teacher_of(system, dataset)


def test_a_teacher_that_is_not_there(recipe):
    with pytest.raises(InputError, match="runs/large"):
        build_experiment(recipe)
