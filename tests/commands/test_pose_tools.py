"""From a pose machine to ranked lists, as a user goes: landmarks, a network on them, images with them and without."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reid_tf.datasets.landmarks import LANDMARKS_FILE, read_detector, read_landmarks, write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.ranked_file import read_ranked_lists

pytestmark = pytest.mark.slow

COMMON = """
dataset: {name: market1501}
image_size: [32, 16]
optimizer: {name: adam, learning_rate: 0.01}
schedule: {name: constant}
steps_per_epoch: 2
"""
POSE_MACHINE = f"""{COMMON}
batches: {{name: images, batch_size: 8}}
backbone: {{name: vgg_front, stackwise_num_convolutions: [1, 1], stackwise_channels: [4, 4]}}
model: {{name: cpm, stages: 2, width: 4, refinement_convolutions: 1, refinement_kernel: 3}}
epochs: 1
"""
JOINT_LOSS = f"""{COMMON}
augment: [{{name: flip}}]
batches: {{name: identities, identities_per_batch: 3, images_per_identity: 4}}
backbone: {{name: tiny, width: 4}}
model:
  {{name: joint_loss, shared_layers: 2, grids: [[2, 2], [2, 2], [2, 2]], global_dim: 8, part_dims: [2, 3, 3]}}
stages:
  - {{name: identification, share: 0.5, loss_weights: {{embedding: 0.0}}}}
  - {{name: joint, share: 0.5, optimizer: {{name: sgd, learning_rate: 0.01}}}}
epochs: 2
evaluation: {{validation: {{name: held_out, share: 0.3}}, every: 1, ranked_lists: 1}}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data set with its true landmarks, the same without, and some of its images in a folder."""
    root = tmp_path_factory.mktemp("pose")
    drawn = Path(load_dataset("synthetic", str(root / "cache"), identities=12, images_per_identity=6).root)
    drawn.rename(root / "true")
    shutil.copytree(root / "true", root / "data")
    (root / "data" / LANDMARKS_FILE).unlink()
    (root / "crops").mkdir()
    for path in sorted((root / "data" / "query").glob("*.jpg"))[:5]:
        shutil.copy(path, root / "crops")
    (root / "cpm.yaml").write_text(POSE_MACHINE)
    (root / "joint.yaml").write_text(JOINT_LOSS)
    return root


@pytest.fixture
def pose_machine(run, place):
    """The run directory of a pose machine, trained by the first test that asks for it."""
    if not (place / "cpm").exists():
        result = run("train", "--config", place / "cpm.yaml", "--data", place / "true", "--out", place / "cpm")
        assert result.returncode == 0, result.stderr
        assert "| PCK, % " in result.stdout
        assert "mean pose" in result.stdout
        assert f"model:    {place / 'cpm' / 'model'}.keras" in result.stdout
        assert "encoder:" not in result.stdout
    return place / "cpm"


@pytest.fixture
def detector(pose_machine):
    return ("--detector", "cpm", "--detector-option", f"run={pose_machine}")


@pytest.fixture
def trained(run, place, detector):
    """The run directory of a network on the landmarks that the pose machine found."""
    if not (place / "joint").exists():
        arguments = ("--config", place / "joint.yaml", "--data", place / "data", "--out", place / "joint")
        refused = run("train", *arguments)
        assert refused.returncode == 2
        assert "`reid-tf landmarks --detector NAME` finds them" in refused.stderr
        found = run("landmarks", *detector, "--dataset", "market1501", "--data", place / "data")
        assert found.returncode == 0, found.stderr
        result = run("train", *arguments)
        assert result.returncode == 0, result.stderr
        assert "| trained encoder" in result.stdout
    return place / "joint"


def test_the_pose_machine_finds_the_landmarks_of_a_data_set(run, place, trained):
    found = read_landmarks(place / "data" / LANDMARKS_FILE)
    true = read_landmarks(place / "true" / LANDMARKS_FILE)
    assert set(found) == set(true)
    assert read_detector(place / "data" / LANDMARKS_FILE)["name"] == "cpm"
    compared = run(
        "landmarks", "--dataset", "market1501", "--data", place / "data", "--compare", place / "true" / LANDMARKS_FILE
    )
    assert compared.returncode == 0, compared.stderr
    assert "images compared with" in compared.stdout


def test_a_network_on_landmarks_is_trained_in_stages_and_evaluated(run, place, trained, tmp_path):
    assert (trained / "checkpoints" / "stage-identification.weights.h5").exists()
    result = run("evaluate", "--run", trained, "--out", tmp_path / "evaluation")
    assert result.returncode == 0, result.stderr
    measured = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    expected = json.loads((trained / "metrics.json").read_text())
    assert measured["mAP"] == pytest.approx(expected["mAP"], abs=1e-6)


def embedded(run, tmp_path, *arguments):
    result = run("embed", *arguments, "--out", tmp_path / "vectors.npz")
    assert result.returncode == 0, result.stderr
    return Embeddings.load(tmp_path / "vectors.npz").vectors


def test_images_without_landmarks_need_a_detector(run, place, trained, detector, tmp_path):
    crops = shutil.copytree(place / "crops", tmp_path / "crops")
    refused = run("embed", "--run", trained, "--images", crops, "--out", tmp_path / "vectors.npz")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "5 of 5 images have none" in refused.stderr
    assert "`reid-tf landmarks --detector NAME` finds them" in refused.stderr
    assert not (tmp_path / "vectors.npz").exists()

    at_once = embedded(run, tmp_path, "--run", trained, "--images", crops, *detector)
    assert at_once.shape == (5, 8 + 2 + 3 + 3)
    assert not (crops / LANDMARKS_FILE).exists()
    assert run("landmarks", *detector, "--images", crops).returncode == 0
    beside = embedded(run, tmp_path, "--run", trained, "--images", crops)
    np.testing.assert_allclose(at_once, beside, rtol=1e-4, atol=1e-5)


def test_landmarks_beside_the_images_are_preferred_to_a_detectors(run, place, trained, detector, tmp_path):
    """Two of five images have other landmarks, of a person in the middle of the image."""
    crops = shutil.copytree(place / "crops", tmp_path / "crops")
    plain = embedded(run, tmp_path, "--run", trained, "--images", crops, *detector)
    names = sorted(path.name for path in crops.iterdir())[:2]
    middle = np.random.default_rng(0).uniform(0.4, 0.6, (18, 3))
    write_landmarks(crops / LANDMARKS_FILE, dict.fromkeys(names, middle))
    mixed = embedded(run, tmp_path, "--run", trained, "--images", crops, *detector)
    parts = slice(8, None)
    assert (np.abs(mixed[:2, parts] - plain[:2, parts]).max(axis=1) > 1e-3).all()
    np.testing.assert_allclose(mixed[2:], plain[2:], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mixed[:, :8], plain[:, :8], rtol=1e-4, atol=1e-5, err_msg="the whole image's features")


def test_a_search_needs_landmarks_too(run, place, trained, detector, tmp_path):
    query = tmp_path / "query"
    query.mkdir()
    shutil.copy(next((place / "crops").glob("*.jpg")), query)
    arguments = ("--run", trained, "--query", query, "--gallery", place / "crops", "--out", tmp_path / "ranked.txt")
    refused = run("search", *arguments)
    assert refused.returncode == 2
    assert "`reid-tf landmarks --detector NAME` finds them" in refused.stderr
    result = run("search", *arguments, *detector, "--flip")
    assert result.returncode == 0, result.stderr
    ((name, ranked),) = read_ranked_lists(tmp_path / "ranked.txt").items()
    assert len(ranked) == 5
    assert ranked[0] == name, "the image itself is in the gallery"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--detector-option", "run=x"), "--detector-option needs --detector"),
        (("--detector", "cpn"), "Unknown landmark detector: 'cpn'. Did you mean 'cpm'"),
        (("--detector", "cpm"), "'run'"),
        (("--detector", "cpm", "--detector-option", "run=nowhere"), "there is no 'nowhere/model.keras'"),
        (("--detector", "cpm", "--detector-option", "run=JOINT"), "is not a pose machine"),
    ],
)
def test_a_wrong_detector_is_one_sentence(run, place, trained, tmp_path, arguments, message):
    arguments = [part.replace("JOINT", str(trained)) for part in arguments]
    crops = ("--images", place / "crops", "--out", tmp_path / "vectors.npz")
    result = run("embed", "--run", trained, *crops, *arguments)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_pose_machine_embeds_nothing(run, place, pose_machine, tmp_path):
    crops = ("--images", place / "crops", "--out", tmp_path / "vectors.npz")
    result = run("embed", "--run", pose_machine, *crops)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "encoder.keras" in result.stderr


@pytest.mark.real_data
def test_movenet_serves_a_network_that_a_pose_machine_was_trained_for(run, real_data, trained, tmp_path):
    """Landmarks are landmarks, whoever found them."""
    crops = tmp_path / "crops"
    crops.mkdir()
    for path in sorted((real_data / "market1501-sample").glob("*.jpg"))[:4]:
        shutil.copy(path, crops)
    (model,) = (real_data / "pose").glob("movenet*.tflite")
    found = run("landmarks", "--detector", "movenet", "--detector-option", f"model_file={model}", "--images", crops)
    assert found.returncode == 0, found.stderr
    assert read_detector(crops / LANDMARKS_FILE)["name"] == "movenet"
    vectors = embedded(run, tmp_path, "--run", trained, "--images", crops)
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(6), axis=0)) == 4
