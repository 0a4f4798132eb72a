"""Exports whose input another program prescribes: the same vectors as the run's, from normalised images."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import reid_tf
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.serving.export import export
from tests.made_exports import CALIBRATION, attribute_encoder, pictures, scatter, write_data, write_run

PROFILE = "imagenet-nchw"
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def encoder_of(size, flip=False):
    image = keras.Input((*size, 3), name="image")
    features = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    features = keras.layers.Conv2D(8, 5, strides=4, activation="relu")(features)
    embedding = keras.layers.Dense(6)(keras.layers.GlobalAveragePooling2D()(features))
    model = scatter(keras.Model({"image": image}, {"embedding": embedding}), 0)
    return Encoder(model, {"image": "image"}, size, flip=flip)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "people")


@pytest.mark.parametrize("format", ["onnx", "litert"])
@pytest.mark.parametrize("size", [(256, 128), (128, 64)])
def test_a_tracker_gets_the_vectors_of_the_run(format, size, data, tmp_path):
    run = write_run(tmp_path / "run", encoder_of(size), data)
    report = export(run, format, profile=PROFILE)
    assert report.folder == run / "export" / f"{format}-{PROFILE}"
    said = json.loads((report.folder / "export.json").read_text())
    assert (said["profile"], said["input"]["image_size"]) == (PROFILE, [256, 128])
    assert said["parity"]["difference"] < 1e-3

    crops = np.stack([keras.ops.image.resize(picture, (256, 128)) for picture in pictures(3)]).astype(np.uint8)
    given = ((crops / 255.0 - MEAN) / DEVIATION).transpose(0, 3, 1, 2).astype(np.float32)  # as boxmot does
    if format == "onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(report.folder / "encoder.onnx")
        (found,) = session.run(None, {session.get_inputs()[0].name: given})
    else:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(report.folder / "encoder.tflite"))
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], given.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    own = reid_tf.load_encoder(run)
    expected = own([np.asarray(Image.fromarray(crop)) for crop in crops])
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())

    exported = reid_tf.load_encoder(report.folder)  # which takes grey values, as any encoder
    np.testing.assert_allclose(exported(list(crops)), found, atol=1e-4 * np.abs(expected).max())
    assert (exported.fingerprint == own.fingerprint) == (size == (256, 128))


def test_mirror_images_stay_behind(data, tmp_path):
    run = write_run(tmp_path / "run", encoder_of((256, 128), flip=True), data)
    report = export(run, "litert", profile=PROFILE)
    assert not reid_tf.load_encoder(report.folder).flip
    assert reid_tf.load_encoder(run).flip


def test_nothing_but_the_embedding_is_in_the_file(data, tmp_path):
    run = write_run(tmp_path / "run", attribute_encoder(calibration=CALIBRATION), data)
    exported = reid_tf.load_encoder(export(run, "litert", profile=PROFILE).folder)
    assert list(exported.runtime.output_widths) == ["embedding"]
    assert exported.attributes is None
    assert exported.calibration is None  # it was measured on images of another size


@pytest.mark.parametrize(
    ("format", "profile", "message"),
    [
        ("litert-int8", PROFILE, "is for the formats onnx and litert. Received: 'litert-int8'"),
        ("savedmodel", PROFILE, "is for the formats onnx and litert. Received: 'savedmodel'"),
        ("litert", "imagenet", "Unknown profile: 'imagenet'.*imagenet-nchw"),
    ],
)
def test_what_is_refused(format, profile, message, data, tmp_path):
    run = write_run(tmp_path / "run", encoder_of((32, 16)), data)
    with pytest.raises(InputError, match=message):
        export(run, format, profile=profile)
    assert not (run / "export").exists()
