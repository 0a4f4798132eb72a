"""TensorFlow Lite files: what they hold, and what runs them."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.runtimes import litert
from reid_tf.encoder.runtimes.litert import LiteRTRuntime
from reid_tf.layers.preprocessing import caffe_normalization
from reid_tf.models.embedding import build_encoder
from reid_tf.pipeline.decode import resize_images
from reid_tf.registry import BACKBONES
from reid_tf.serving.formats.litert import write_litert
from reid_tf.serving.formats.litert_int8 import write_litert_int8
from reid_tf.serving.formats.source import Source, portable
from reid_tf.training.strategy import precision
from tests.made_batches import SIZE
from tests.made_exports import pictures, scatter

OUTPUT = ("embedding",)


def built(pooling="average", size=SIZE):
    keras.utils.set_random_seed(1)
    backbone = BACKBONES.build({"name": "tiny", "width": 4}, image_size=size)
    model = scatter(build_encoder(backbone, 8, pooling=pooling), 0)
    return Encoder(model, {"image": "image"}, size).folded()


def source_of(encoder):
    images = resize_images(pictures(40), encoder.image_size)
    return Source(encoder, None, 1, [{"image": image[np.newaxis]} for image in images])


@pytest.fixture(scope="module")
def source():
    return source_of(built())


@pytest.fixture(scope="module")
def images():
    return resize_images(pictures(9, seed=1), SIZE)


def tensors(folder):
    return Interpreter(model_path=str(folder / "encoder.tflite")).get_tensor_details()


def run(source, write, folder, images):
    write(source, folder)
    return LiteRTRuntime(folder / "encoder.tflite", 8)({"image": images}, OUTPUT)["embedding"]


def distance_of(found, expected):
    """The largest difference as a share of how much the embeddings of different images differ."""
    return np.linalg.norm(found - expected, axis=1).max() / np.linalg.norm(expected - expected.mean(0), axis=1).mean()


def test_a_float_file_is_the_same_function_of_any_number_of_images(source, images, tmp_path):
    expected = source.encoder(list(images))
    assert distance_of(run(source, write_litert, tmp_path, images), expected) < 1e-5
    runner = Interpreter(model_path=str(tmp_path / "encoder.tflite")).get_signature_runner()
    (given,) = runner.get_input_details().values()
    assert (given["dtype"], given["shape_signature"].tolist()) == (np.uint8, [-1, *SIZE, 3])
    runtime = LiteRTRuntime(tmp_path / "encoder.tflite", 8, threads=1)
    for count in (1, 4, 2):
        found = runtime({"image": images[:count]}, OUTPUT)["embedding"]
        np.testing.assert_allclose(found, expected[:count], rtol=1e-4, atol=1e-5)


def test_an_int8_file_has_int8_weights_a_scale_a_channel_and_float_embeddings(source, images, tmp_path):
    found = run(source, write_litert_int8, tmp_path, images)
    assert found.dtype == np.float32
    assert 1e-4 < distance_of(found, source.encoder(list(images))) < 0.2
    kernels = [
        tensor
        for tensor in tensors(tmp_path)
        if tensor["shape"].size == 4 and tensor["shape"][1] == 3 == tensor["shape"][2]
    ]
    assert len(kernels) >= 7
    for kernel in kernels:
        assert kernel["dtype"] == np.int8
        assert len(kernel["quantization_parameters"]["scales"]) == kernel["shape"][0]
    runner = Interpreter(model_path=str(tmp_path / "encoder.tflite")).get_signature_runner()
    assert runner.get_input_details()["image"]["dtype"] == np.uint8


def test_stripes_are_quantised_too(tmp_path):
    stripes = source_of(built("stripes", (64, 32)))
    images = resize_images(pictures(9, seed=1), (64, 32))
    expected = stripes.encoder(list(images))
    assert expected.shape == (9, 8)
    assert distance_of(run(stripes, write_litert, tmp_path, images), expected) < 1e-5
    assert distance_of(run(stripes, write_litert_int8, tmp_path, images), expected) < 0.3


def test_powers_stay_in_float(images, tmp_path):
    gem = source_of(built("gem"))
    assert distance_of(run(gem, write_litert_int8, tmp_path, images), gem.encoder(list(images))) < 0.2
    pooled = [tensor for tensor in tensors(tmp_path) if "/pool" in tensor["name"] and "Pow" in tensor["name"]]
    assert pooled
    assert all(tensor["dtype"] == np.float32 for tensor in pooled)


def test_a_unit_that_no_image_activated_stays_in_float(images, tmp_path, caplog):
    keras.utils.set_random_seed(1)
    image = keras.Input((*SIZE, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    gate = keras.layers.Dense(1, activation="relu", name="gate", kernel_initializer=keras.initializers.Constant(-0.1))
    excited = keras.layers.Dense(3, activation="sigmoid", bias_initializer="random_normal")(gate(mean))
    model = keras.Model({"image": image}, {"embedding": keras.layers.Multiply()([mean, excited])})
    dead = source_of(Encoder(model, {"image": "image"}, SIZE))
    assert write_litert_int8(dead, tmp_path)["tensors_kept_in_float"] > 0
    found = LiteRTRuntime(tmp_path / "encoder.tflite", 3)({"image": images}, OUTPUT)["embedding"]
    np.testing.assert_allclose(found, dead.encoder(list(images)), atol=5)  # of 38 to 70 grey levels
    # The fast kernels refuse a tensor whose only value is zero, which would be said.
    assert not [record for record in caplog.records if record.name.startswith("reid_tf")]


def test_a_file_that_the_fast_kernels_refuse_runs_on_the_others(source, images, tmp_path, caplog, monkeypatch):
    write_litert(source, tmp_path)
    signature = litert._signature

    def refuse(content, threads, plain=False):
        if not plain:
            raise RuntimeError("failed to create XNNPACK runtime")
        return signature(content, threads, plain)

    monkeypatch.setattr(litert, "_signature", refuse)
    runtime = LiteRTRuntime(tmp_path / "encoder.tflite", 8)
    assert distance_of(runtime({"image": images}, OUTPUT)["embedding"], source.encoder(list(images))) < 1e-4
    assert "XNNPACK refuses" in caplog.text


def test_half_precision_is_exported_in_float32_with_the_same_preprocessing(images):
    keras.utils.set_random_seed(1)
    with precision("mixed_bfloat16"):
        image = keras.Input((*SIZE, 3), name="image")
        inner = keras.Input((*SIZE, 3))
        convolved = keras.layers.Conv2D(8, 3, name="convolution")(caffe_normalization()(inner))
        backbone = keras.Model(inner, convolved)
        pooled = keras.layers.GlobalAveragePooling2D()(backbone(image))
        model = keras.Model({"image": image}, {"embedding": keras.layers.Activation("linear", dtype="float32")(pooled)})
    copy = portable(model)
    assert {layer.compute_dtype for layer in copy.layers[1].layers} == {"float32"}
    kernel, bias = model.layers[1].get_layer("convolution").get_weights()
    grey = images[..., ::-1].astype(np.float64) - [103.939, 116.779, 123.68]
    height, width = SIZE
    windows = [grey[:, y : y + height - 2, x : x + width - 2] for y in range(3) for x in range(3)]
    means = np.stack([window.mean(axis=(1, 2)) for window in windows], axis=1)  # [batch, 9, 3]
    expected = means.reshape(len(images), -1) @ kernel.reshape(-1, 8) + bias
    np.testing.assert_allclose(copy.predict_on_batch({"image": images})["embedding"], expected, rtol=1e-4, atol=1e-4)
    assert np.abs(model.predict_on_batch({"image": images})["embedding"] - expected).max() > 1e-3
