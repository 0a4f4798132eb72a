"""What works where TensorFlow and Keras are not installed, and what with NumPy, OpenCV and one runtime alone."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed
from reid_tf.retrieval import Embeddings, evaluate
from reid_tf.serving.export import write_export
from reid_tf.serving.formats.source import Source
from tests.made_exports import CALIBRATION, attribute_encoder, pictures, pose_encoder

# Everything that the package installs but NumPy, OpenCV and the runtimes.
NOT_AT_THE_EDGE = (
    "absl", "array_record", "google", "h5py", "keras", "keras_tuner", "matplotlib", "ml_dtypes", "omegaconf",
    "pydantic", "requests", "safetensors", "scipy", "sklearn", "tensorboard", "tensorflow", "tensorflow_datasets",
    "tqdm", "urllib3", "yaml",
)  # fmt: skip
BLOCKED = """
import json, sys
sys.modules.update(dict.fromkeys(json.loads(sys.argv.pop(1))))  # `import tensorflow` now raises ImportError
import numpy as np
import reid_tf
folder = sys.argv[1]
paths = json.loads(sys.argv[2])
"""
ENCODER = """
from reid_tf.datasets.image_list import list_images
encoder = reid_tf.load_encoder(sys.argv[3])
from_paths = encoder(paths)
embeddings = reid_tf.embed(encoder, list_images(f"{folder}/images"), batch_size=2, verbose=0)
assert [path.rsplit("/")[-1] for path in embeddings.paths] == [path.rsplit("/")[-1] for path in paths]
np.testing.assert_allclose(embeddings.vectors, from_paths, rtol=1e-4, atol=1e-5)
np.save(f"{folder}/vectors.npy", from_paths)
try:
    encoder([f"{folder}/broken.png"])
except reid_tf.InputError as error:
    assert "broken.png' (4 bytes) is not a valid JPEG" in str(error), error
assert encoder.calibration.same(0.01)
"""
PARTS = """
encoder = reid_tf.load_encoder(sys.argv[3])
landmarks = np.load(f"{folder}/landmarks.npy")
np.save(f"{folder}/vectors.npy", encoder(paths, landmarks=landmarks))
"""
RANKING = """
import pkgutil, importlib
import reid_tf.retrieval
for module in pkgutil.walk_packages(reid_tf.retrieval.__path__, "reid_tf.retrieval."):
    importlib.import_module(module.name)
query, gallery = (reid_tf.Embeddings.load(f"{folder}/{name}.npz") for name in ("query", "gallery"))
indices, _ = reid_tf.rank(query, gallery, 3)
metrics = reid_tf.evaluate(query, gallery)
print(json.dumps([indices.tolist(), metrics.mean_average_precision]))
"""
CLIENT = """
from reid_tf.serving import Client
client = Client(sys.argv[3])
np.save(f"{folder}/vectors.npy", client.embed(paths))
assert client.verify(paths[:1], paths[1:2]).probability.shape == (1,)
"""


def blocked(program: str, *arguments: str, without: Sequence[str] = NOT_AT_THE_EDGE) -> str:
    """Runs a program that cannot import some packages, and returns what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + program, json.dumps(without), *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Lossless images, whose pixels every decoder agrees on, and one that is none."""
    made = tmp_path_factory.mktemp("edge")
    (made / "images").mkdir()
    for index, picture in enumerate(pictures(5)):
        cv2.imwrite(str(made / "images" / f"{index}.png"), picture[..., ::-1])
    (made / "broken.png").write_bytes(b"none")
    np.save(made / "landmarks.npy", np.random.default_rng(0).uniform(0.2, 0.8, (5, 18, 3)).astype(np.float32))
    return made


@pytest.fixture(scope="module")
def paths(folder):
    return sorted(map(str, (folder / "images").iterdir()))


def exported(encoder, folder: Path, kind: str) -> None:
    (folder / kind).mkdir()
    write_export(Source(encoder.folded(), None, 100_000), kind, folder / kind, run="a")


@pytest.mark.parametrize("kind", ["litert", "onnx"])
def test_an_exported_encoder_embeds_files(folder, paths, kind):
    if kind == "onnx":
        pytest.importorskip("tf2onnx")
    encoder = attribute_encoder(flip=True, normalize=True, calibration=CALIBRATION)
    exported(encoder, folder, kind)
    blocked(ENCODER, str(folder), json.dumps(paths), str(folder / kind))
    expected = embed(encoder, [Record(path, 0, 0) for path in paths], verbose=0).vectors
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), expected, rtol=1e-3, atol=1e-4)


REFUSED = """
try:
    reid_tf.load_encoder(sys.argv[3])
except reid_tf.InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("kind", "package"), [("savedmodel", "tensorflow"), ("litert", "ai_edge_litert"), ("onnx", "onnxruntime")]
)
def test_a_runtime_that_is_not_installed_is_named(tmp_path, kind, package):
    if kind == "onnx":
        pytest.importorskip("tf2onnx")
    exported(attribute_encoder(), tmp_path, kind)
    said = blocked(REFUSED, str(tmp_path), "[]", str(tmp_path / kind), without=(*NOT_AT_THE_EDGE, package))
    name = package.replace("_", "-")
    assert said.endswith(f"needs the package {name!r}, which is not installed: pip install {name}.\n")


def test_a_run_needs_tensorflow():
    run = str(Path(__file__).resolve().parents[1] / "version_0_1" / "run")
    assert "encoder.keras' needs the package 'tensorflow'" in blocked(REFUSED, run, "[]", run)


def test_boxes_of_body_parts_are_made_of_landmarks(folder, paths, tmp_path):
    encoder = pose_encoder(flip=True)
    exported(encoder, tmp_path, "litert")
    blocked(PARTS, str(folder), json.dumps(paths), str(tmp_path / "litert"))
    expected = encoder(paths, landmarks=np.load(folder / "landmarks.npy"))
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), expected, rtol=1e-3, atol=1e-4)


def test_ranking_and_evaluation(tmp_path):
    rng = np.random.default_rng(0)
    query, gallery = (
        Embeddings(rng.normal(size=(count, 8)), np.arange(count) % 4, np.full(count, camera))
        for count, camera in ((6, 1), (20, 2))
    )
    query.save(tmp_path / "query.npz")
    gallery.save(tmp_path / "gallery.npz")
    indices, precision = json.loads(blocked(RANKING, str(tmp_path), "[]"))
    assert np.shape(indices) == (6, 3)
    assert precision == evaluate(query, gallery).mean_average_precision


def test_the_client_of_a_server(server_url, make_encoder, image_files, tmp_path):
    blocked(CLIENT, str(tmp_path), json.dumps(image_files), server_url, without=("tensorflow", "keras"))
    np.testing.assert_allclose(np.load(tmp_path / "vectors.npy"), make_encoder()(image_files), rtol=1e-3, atol=1e-4)
