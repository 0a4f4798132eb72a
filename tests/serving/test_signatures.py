import io
import struct
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from made_batches import SIZE
from PIL import Image
from request_images import drawn, encode
from tensorflow.python.tools import saved_model_cli

from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image
from reid_tf.retrieval.distances import DISTANCES, distance_blocks
from reid_tf.retrieval.embed import Encoder, embed_with_attributes
from reid_tf.serving.images import decode_images
from reid_tf.serving.pair_distance import pair_distance
from reid_tf.serving.signatures import build_serving_module, describe_signatures, save_serving_module

MOST = 100_000


@pytest.fixture(scope="module")
def signatures(export):
    return tf.saved_model.load(str(export / "1")).signatures


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda encoded: decode_images(encoded, SIZE, MOST), input_signature=[tf.TensorSpec([None], tf.string)]
    )


def assert_close(ours, expected):
    """Equal to a hundred-thousandth of each vector's length."""
    assert ours.shape == expected.shape
    lengths = np.linalg.norm(expected, axis=1)
    assert lengths.min() > 1e-3
    assert (np.linalg.norm(np.asarray(ours) - expected, axis=1) / lengths).max() < 1e-5


def landmarks_of(count):
    return np.random.default_rng(3).uniform(0.2, 0.8, (count, 18, 3)).astype(np.float32)


def test_a_saved_model_embeds_files_as_the_encoder_does(signatures, make_encoder, image_files, encoded):
    expected = make_encoder()(image_files)
    assert np.ptp(expected, axis=0).min() > 1e-3  # not all images are alike
    assert_close(signatures["serving_default"](image=tf.constant(encoded))["embedding"], expected)
    one_by_one = [signatures["serving_default"](image=tf.constant([image]))["embedding"][0] for image in encoded]
    assert_close(np.stack(one_by_one), expected)


def test_decoded_images_of_any_size(signatures, make_encoder):
    for height, width in [(60, 30), (20, 40), SIZE]:
        images = np.stack([drawn(seed, height, width) for seed in range(3)])
        assert_close(signatures["embed_image"](image=tf.constant(images))["embedding"], make_encoder()(list(images)))


def test_attributes_are_those_of_the_encoder(signatures, make_encoder, image_files, encoded):
    _, expected = embed_with_attributes(make_encoder(), [Record(path, 0, 0) for path in image_files], verbose=0)
    ours = signatures["attributes"](image=tf.constant(encoded))["attributes"]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert expected.std(axis=0).max() > 1e-3


def test_flipping_and_unit_length(make_encoder, image_files, encoded, tmp_path):
    flipping = make_encoder(flip=True)
    save_serving_module(build_serving_module(flipping, None, None, True, MOST), tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1")).signatures
    assert set(loaded) == {"serving_default", "embed_image", "attributes"}  # nothing to verify with
    expected = flipping(image_files)
    assert np.abs(expected - make_encoder()(image_files)).max() > 1e-3
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert_close(loaded["serving_default"](image=tf.constant(encoded))["embedding"], expected)


def test_body_parts_come_from_the_landmarks_of_the_request(pose_encoder, pose_module, image_files, encoded):
    functions, landmarks = pose_module.functions, landmarks_of(5)
    expected = pose_encoder(image_files, landmarks=landmarks)
    given = {"image": tf.constant(encoded), "landmarks": tf.constant(landmarks)}
    assert_close(functions["serving_default"](**given)["embedding"], expected)
    answer = functions["verify"](
        image_a=given["image"][:2], image_b=given["image"][2:4], landmarks_a=landmarks[:2], landmarks_b=landmarks[2:4]
    )
    distances = np.linalg.norm(expected[:2] - expected[2:4], axis=1)
    np.testing.assert_allclose(answer["distance"], distances, rtol=1e-4)
    np.testing.assert_allclose(answer["probability"], 1 / (1 + np.exp(2.0 * distances - 1.0)), rtol=1e-4)
    np.testing.assert_array_equal(answer["same"], distances <= 0.5)
    for wrong, message in [
        (landmarks[:4], "landmarks must be as many as images, and are 4 for 5"),
        (np.where(np.arange(5)[:, None, None] == 3, 70.0, landmarks), r"at position \[3\] are not"),
        (np.where(np.arange(5)[:, None, None] == 2, np.nan, landmarks), r"at position \[2\] are not"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            functions["serving_default"](image=given["image"], landmarks=np.float32(wrong))


def test_verification_by_the_verifier_and_the_calibrated_threshold(
    signatures, make_encoder, system, calibration, image_files, encoded
):
    vectors = make_encoder()(image_files)
    first, second = [0, 0, 1, 2], [0, 1, 3, 4]
    answer = signatures["verify"](
        image_a=tf.constant([encoded[i] for i in first]), image_b=tf.constant([encoded[i] for i in second])
    )
    pairs = {"embedding_a": vectors[first], "embedding_b": vectors[second]}
    probabilities = system.verifier.predict(pairs, verbose=0)["probability"][:, 0]
    assert np.ptp(probabilities) > 0.05
    np.testing.assert_allclose(answer["probability"], probabilities, atol=1e-5)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - (unit[first] * unit[second]).sum(axis=1)
    np.testing.assert_allclose(answer["distance"], distances, atol=1e-5)
    np.testing.assert_array_equal(answer["same"], distances <= calibration.threshold)
    assert 0 < np.mean(answer["same"]) < 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be as many, and are 1 and 2"):
        signatures["verify"](image_a=tf.constant(encoded[:1]), image_b=tf.constant(encoded[:2]))


def test_verification_without_a_calibration_decides_nothing(make_encoder, system):
    module = build_serving_module(make_encoder(), system.verifier, None, False, MOST)
    outputs = describe_signatures(module)["verify"]["outputs"]
    assert outputs == {name: {"dtype": "float32", "shape": [None]} for name in ("probability", "distance")}


@pytest.mark.parametrize("kind", sorted(DISTANCES))
def test_the_distance_of_a_pair_is_that_of_retrieval(kind):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, 6)).astype(np.float32)
    first[1] = 0
    ((_, matrix),) = distance_blocks(first, second, kind)
    np.testing.assert_allclose(pair_distance(kind, first, second), np.diag(matrix), rtol=1e-4, atol=1e-6)


def test_no_images_give_no_rows(signatures):
    none = tf.constant([], tf.string)
    assert signatures["serving_default"](image=none)["embedding"].shape == (0, 6)
    assert signatures["embed_image"](image=tf.zeros((0, 50, 20, 3), tf.uint8))["embedding"].shape == (0, 6)
    answer = signatures["verify"](image_a=none, image_b=none)
    assert {name: values.shape for name, values in answer.items()} == dict.fromkeys(answer, (0,))
    assert signatures["attributes"](image=none)["attributes"].shape == (0, 30)


def cmyk(image):
    """A CMYK JPEG of an RGB picture, the inks inverted as most programs write them."""
    file = io.BytesIO()
    Image.fromarray(image).convert("CMYK").save(file, "JPEG", quality=95)
    return file.getvalue()


def odd_images():
    picture = drawn(0)
    return {
        "grey JPEG": encode(picture[..., 0]),
        "grey PNG": encode(picture[..., 0], ".png"),
        "CMYK JPEG": cmyk(picture),
        "16-bit PNG": encode(picture.astype(np.uint16) * 257, ".png"),
        "16-bit grey PNG": encode(picture[..., 0].astype(np.uint16) * 257, ".png"),
        "PNG with transparency": encode(drawn(0, channels=4), ".png"),
        "one pixel, JPEG": encode(drawn(0, 1, 1)),
        "one pixel, PNG": encode(drawn(0, 1, 1), ".png"),
    }


@pytest.mark.parametrize("kind", odd_images())
def test_images_of_every_kind_have_their_colours(kind, signatures, tmp_path):
    image = odd_images()[kind]
    opened = Image.open(io.BytesIO(image))
    if opened.mode.startswith("I;16"):  # Pillow would cut such values off instead of scaling them
        reference = np.repeat((np.asarray(opened) // 257).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    else:
        reference = np.asarray(opened.convert("RGB"))
    whole = tf.function(lambda encoded: decode_images(encoded, reference.shape[:2], MOST))(tf.constant([image]))[0]
    difference = np.abs(whole.numpy().astype(int) - reference)
    assert difference.max() <= (12 if "JPEG" in kind else 1)  # the decoders' arithmetic differs
    assert np.isfinite(signatures["serving_default"](image=tf.constant([image]))["embedding"]).all()
    (tmp_path / "image").write_bytes(image)
    np.testing.assert_array_equal(whole, read_image(str(tmp_path / "image")))


def huge_png(width=50_000, height=1_000_000):
    """A PNG whose header promises many pixels, and that has none."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))


def huge_jpeg():
    """A small JPEG whose header says that it has 60,000 x 60,000 pixels."""
    image = bytearray(encode(drawn(0)))
    place = image.index(b"\xff\xc0") + 5  # behind the marker, the length and the precision
    image[place : place + 4] = struct.pack(">HH", 60_000, 60_000)
    return bytes(image)


def test_every_bad_image_of_a_request_is_named(decode, signatures, encoded):
    good = encoded[0]
    bad = [good, b"<html>not [found]", huge_png(), good[: len(good) // 2], good, huge_jpeg(), b"", good[:12]]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        decode(tf.constant(bad))
    text = str(error.value)
    for message in [
        "image at position 1 of 8 (17 bytes) is neither JPEG nor PNG, it begins with: <html>no",
        f"image at position 2 of 8 ({len(huge_png())} bytes) has 50000000000 pixels, more than the {MOST} allowed",
        f"image at position 3 of 8 ({len(good) // 2} bytes) is not a sound JPEG or PNG",
        f"position 5 of 8 ({len(good)} bytes) has 3600000000 pixels, more than the {MOST} allowed",
        "position 6 of 8 (0 bytes) is neither JPEG nor PNG",
        "position 7 of 8 (12 bytes) is not a sound JPEG or PNG",
    ]:
        assert message in text
    assert "position 0" not in text
    assert "position 4" not in text
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_b at position 1 of 2 \(5 bytes\) is neither"):
        signatures["verify"](image_a=tf.constant(encoded[:2]), image_b=tf.constant([good, b"\xff\xd8-\x00]"]))
    assert signatures["serving_default"](image=tf.constant([good]))["embedding"].shape == (1, 6)


def test_the_limit_itself_is_allowed(encoded):
    def pixels(most):
        return decode_images(tf.constant([encode(drawn(0, 20, 10), ".png")]), (20, 10), most)

    np.testing.assert_array_equal(pixels(200)[0], drawn(0, 20, 10))
    with pytest.raises(tf.errors.InvalidArgumentError, match="has 200 pixels, more than the 199 allowed"):
        pixels(199)


@pytest.mark.parametrize("suffix", [".bmp", ".webp"])
def test_other_formats_are_refused(decode, suffix):
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither JPEG nor PNG, it begins with: (BM|RIFF)"):
        decode(tf.constant([encode(drawn(0), suffix)]))


def test_decoded_images_without_pixels_are_refused(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="need at least one pixel"):
        signatures["embed_image"](image=tf.zeros((2, 0, 20, 3), tf.uint8))


def test_the_model_inside_is_folded(export, make_encoder, system):
    saved = [name for name, _ in tf.train.list_variables(str(export / "1" / "variables" / "variables"))]
    weights = {name.split("/")[1] for name in saved if name.startswith("weights/")}
    folded = make_encoder().folded().model
    assert len(folded.variables) < len(system.encoder.variables)
    assert len(weights) == len(folded.variables) + len(system.verifier.variables)


def test_what_the_signatures_take_and_give(make_encoder, system, calibration):
    module = build_serving_module(make_encoder(), system.verifier, calibration, False, MOST)
    described = describe_signatures(module)
    assert described["embed_image"]["inputs"] == {"image": {"dtype": "uint8", "shape": [None, None, None, 3]}}
    assert described["serving_default"]["outputs"] == {"embedding": {"dtype": "float32", "shape": [None, 6]}}
    assert described["verify"]["outputs"]["same"] == {"dtype": "bool", "shape": [None]}
    with pytest.raises(InputError, match="max_pixels must be at least 1. Received: max_pixels=0"):
        build_serving_module(make_encoder(), None, None, False, 0)


def test_half_precision(encoded):
    image = keras.Input((*SIZE, 3), name="image")
    half = keras.layers.Conv2D(4, 3, dtype="mixed_float16")(image)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float16")(half)
    embedding = keras.layers.Activation("linear", dtype="float32", name="embedding")(pooled)
    encoder = Encoder(keras.Model({"image": image}, {"embedding": embedding}), {"image": "image"}, SIZE)
    module = build_serving_module(encoder, None, None, True, MOST)
    vectors = module.functions["serving_default"](image=tf.constant(encoded))["embedding"]
    assert vectors.dtype == tf.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_loader_of_a_server_runs_it(export, make_encoder, image_files, encoded, tmp_path):
    np.save(tmp_path / "images.npy", np.array(encoded))
    model, inputs = export / "1", f"image={tmp_path / 'images.npy'}"
    command = f"run --dir {model} --tag_set serve --signature_def serving_default --inputs {inputs} --outdir {tmp_path}"
    with flagsaver.flagsaver():  # as `saved_model_cli run ...` would set them, without a process of its own
        flags.FLAGS(command.split())
        saved_model_cli.run()
    assert_close(np.load(tmp_path / "embedding.npy"), make_encoder()(image_files))
