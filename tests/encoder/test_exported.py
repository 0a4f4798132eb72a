"""Exported encoders answer as the encoder that they were made of, whatever they run in."""

import json
import shutil
import sys

import cv2
import keras
import numpy as np
import pytest

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed, embed_with_attributes
from reid_tf.encoder.exported import find_export
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.runtimes.keras_model import KerasRuntime
from reid_tf.errors import InputError
from reid_tf.retrieval.calibration import Calibration
from reid_tf.serving.export import write_export
from reid_tf.serving.formats.source import Source
from tests.made_batches import SIZE
from tests.made_exports import CALIBRATION, attribute_encoder, pictures, pose_encoder

FORMATS = ("savedmodel", "litert", "onnx")


@pytest.fixture(scope="module")
def encoder():
    """Everything that an export has to carry: attributes, flip, unit length and a calibration."""
    return attribute_encoder(flip=True, normalize=True, calibration=CALIBRATION)


@pytest.fixture(scope="module")
def exports(encoder, tmp_path_factory):
    return written(encoder, tmp_path_factory.mktemp("exports"), FORMATS)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    landmarks = np.random.default_rng(0).uniform(0.2, 0.8, (5, 18, 3)).astype(np.float32)
    made = []
    for index, picture in enumerate(pictures(5)):
        cv2.imwrite(str(folder / f"{index}.png"), picture[..., ::-1])
        made.append(Record(str(folder / f"{index}.png"), index, 1, landmarks=landmarks[index]))
    return made


def written(encoder, folder, formats):
    source = Source(encoder.folded(), None, 100_000)
    for kind in formats:
        if kind == "onnx":
            pytest.importorskip("tf2onnx")
        (folder / kind).mkdir()
        write_export(source, kind, folder / kind, run="a")
    return folder


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_is_called_as_the_encoder_is(encoder, exports, records, kind):
    loaded = load_encoder(exports / kind)
    expected = encoder(pictures(5))
    assert_close(np.linalg.norm(expected, axis=1), 1)
    assert np.ptp(expected, axis=0).min() > 1e-2  # not all images are alike
    paths = [record.path for record in records]
    assert_close(loaded(pictures(5), batch_size=2), expected)
    assert_close(loaded(paths), expected)
    assert_close(embed(loaded, records, batch_size=3, verbose=0).vectors, expected)
    assert loaded([]).shape == (0, 6)
    assert (loaded.dim, loaded.image_size, loaded.distance) == (6, SIZE, "cosine")
    assert loaded.calibration == CALIBRATION
    assert loaded.flip is (kind != "savedmodel")  # which averages over mirror images by itself
    with pytest.raises(InputError, match=r"none\.png' cannot be read"):
        loaded([*paths, "none.png"])


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_knows_attributes(encoder, exports, records, kind):
    loaded = load_encoder(exports / kind)
    assert loaded.attributes.schema == encoder.attributes.schema
    embeddings, attributes = embed_with_attributes(loaded, records, batch_size=2, verbose=0)
    expected, expected_attributes = embed_with_attributes(encoder, records, verbose=0)
    assert_close(embeddings.vectors, expected.vectors)
    assert_close(attributes, expected_attributes)
    assert np.ptp(expected_attributes, axis=0).max() > 1e-3


@pytest.mark.slow
def test_exports_that_look_at_body_parts(records, tmp_path):
    encoder, landmarks = pose_encoder(), np.stack([record.landmarks for record in records])
    expected = embed(encoder, records, verbose=0).vectors
    exports = written(encoder, tmp_path, ("savedmodel", "litert"))
    for kind in ("savedmodel", "litert"):
        loaded = load_encoder(exports / kind)
        assert loaded.needs_landmarks
        assert loaded.distance == "euclidean"
        assert_close(embed(loaded, records, verbose=0).vectors, expected)
        assert_close(loaded(pictures(5), landmarks=landmarks, batch_size=2), expected)
        with pytest.raises(InputError, match="needs the landmarks of an image"):
            loaded(pictures(5))


def test_a_calibration_of_longer_vectors_is_no_unit_vectors(exports, tmp_path):
    euclidean = Calibration("euclidean", 0.5, 0.01, 2.0, 1.0)
    shutil.copytree(exports / "litert", tmp_path / "litert")
    path = tmp_path / "litert" / "export.json"
    description = json.loads(path.read_text())
    for normalize in (True, False):
        encoder = {**description["encoder"], "normalize": normalize, "fingerprint": None}
        path.write_text(json.dumps({**description, "encoder": encoder, "calibration": euclidean.to_dict()}))
        assert load_encoder(path.parent).calibration == (None if normalize else euclidean)


def test_the_newest_complete_version_is_meant(tmp_path):
    for name in ("2", "10", "11", "notes"):
        (tmp_path / name).mkdir()
        if name != "11":  # still being copied
            (tmp_path / name / "export.json").write_text("{}")
    assert find_export(tmp_path) == tmp_path / "10"
    assert find_export(tmp_path / "2") == tmp_path / "2"
    assert find_export(tmp_path / "11") is None
    assert find_export(tmp_path / "none") is None


def test_broken_exports_are_named(exports, tmp_path, monkeypatch):
    description = json.loads((exports / "litert" / "export.json").read_text())

    def export_of(**changed):
        (tmp_path / "export.json").write_text(json.dumps({**description, "checksums": {}, **changed}))
        return tmp_path

    with pytest.raises(InputError, match=r"encoder\.tflite' cannot be read: No such file"):
        load_encoder(export_of())
    (tmp_path / "encoder.tflite").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"encoder\.tflite' is not a valid TensorFlow Lite file"):
        load_encoder(export_of())
    (tmp_path / "encoder.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"encoder\.onnx' is not a valid ONNX file"):
        load_encoder(export_of(format="onnx"))
    with pytest.raises(InputError, match="is not a valid SavedModel of an encoder"):
        load_encoder(export_of(format="savedmodel"))
    with pytest.raises(InputError, match=r"export\.json': Unknown format: 'tflite'\. Did you mean 'litert'"):
        load_encoder(export_of(format="tflite"))
    with pytest.raises(InputError, match=r"export\.json', 'encoder' lacks the field 'image_size'\. Received: 'inputs'"):
        load_encoder(export_of(encoder={"inputs": {"image": "image"}}))
    (tmp_path / "export.json").write_text("{")
    with pytest.raises(InputError, match=r"export\.json' cannot be read as JSON: Expecting property name"):
        load_encoder(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        InputError, match=r"needs the package .onnxruntime., which is not installed: pip install onnxruntime"
    ):
        load_encoder(exports / "onnx")


def test_a_keras_encoder_is_compiled_for_any_number_of_images_by_its_first_call():
    calls = []

    class Counted(keras.layers.Layer):
        def call(self, image):
            calls.append(image.shape)
            return keras.ops.mean(image, axis=(1, 2))

    image = keras.Input((4, 2, 3), name="image")
    runtime = KerasRuntime(keras.Model({"image": image}, {"embedding": Counted()(image)}))
    calls.clear()
    for count in (1, 7, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, 4, 2, 3), np.uint8)
        found = runtime({"image": images}, ("embedding",))["embedding"]
        assert_close(found, images.mean(axis=(1, 2)))
        assert [shape[0] for shape in calls] == [1, None]
