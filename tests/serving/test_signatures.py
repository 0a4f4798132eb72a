import functools
import io
import struct
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from PIL import Image, ImageOps
from tensorflow.python.tools import saved_model_cli

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed_with_attributes
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import read_image, resize_images
from reid_tf.retrieval.distances import DISTANCES, distance_blocks, distance_of_pairs
from reid_tf.serving.images import decode_images
from reid_tf.serving.signatures import build_serving_module, describe_signatures
from tests.datasets.made_files import lying
from tests.made_batches import SIZE
from tests.serving.request_images import drawn, encode

MOST = 100_000
ENCODED = tf.TensorSpec([None], tf.string)


@pytest.fixture(scope="module")
def uncalibrated(make_encoder, system):
    """The functions of an encoder that flips, its embeddings scaled, beside a verifier."""
    return build_serving_module(make_encoder(flip=True), system.verifier, None, True, MOST)


@functools.cache
def decoder(image_size, most=MOST):
    """The pixels of images, and their errors as text."""
    function = tf.function(lambda encoded: decode_images(encoded, image_size, most), input_signature=[ENCODED])

    def decode(images):
        pixels, error = function(tf.constant(images))
        return pixels.numpy(), said(error)

    return decode


def said(error):
    return [text.decode("ascii") for text in error.numpy()]


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


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_saved_model_turns_lying_images_upright(signatures, make_encoder, kind, tmp_path):
    files = [lying(drawn(0), kind, orientation) for orientation in range(1, 9)]
    (tmp_path / "lying").write_bytes(files[5])
    upright = [np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(file)))) for file in files]
    embeddings = signatures["serving_default"](image=tf.constant(files))["embedding"]
    assert_close(embeddings, make_encoder()(upright))
    assert_close(make_encoder()([tmp_path / "lying"]), embeddings[5:6].numpy())
    np.testing.assert_array_equal(decoder(SIZE)(files)[0], resize_images(upright, SIZE))


def test_decoded_images_of_any_size(signatures, make_encoder):
    for height, width in [(60, 30), (20, 40), SIZE]:
        images = np.stack([drawn(seed, height, width) for seed in range(3)])
        assert_close(signatures["embed_image"](image=tf.constant(images))["embedding"], make_encoder()(list(images)))


def test_attributes_are_those_of_the_encoder(signatures, make_encoder, image_files, encoded):
    _, expected = embed_with_attributes(make_encoder(), [Record(path, 0, 0) for path in image_files], verbose=0)
    ours = signatures["attributes"](image=tf.constant(encoded))["attributes"]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert expected.std(axis=0).max() > 1e-3


def test_flipping_and_unit_length(uncalibrated, make_encoder, image_files, encoded):
    expected = make_encoder(flip=True)(image_files)
    assert np.abs(expected - make_encoder()(image_files)).max() > 1e-3
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert_close(uncalibrated.functions["serving_default"](image=tf.constant(encoded))["embedding"], expected)


def test_body_parts_come_from_the_landmarks_of_the_request(pose_encoder, pose_module, image_files, encoded):
    functions, landmarks = pose_module.functions, landmarks_of(5)
    expected = pose_encoder(image_files, landmarks=landmarks)
    given = {"image": tf.constant(encoded), "landmarks": tf.constant(landmarks)}
    assert_close(functions["serving_default"](**given)["embedding"], expected)
    assert np.abs(pose_encoder(image_files, landmarks=landmarks[::-1]) - expected).max() > 1e-3
    answer = functions["verify"](
        image_a=encoded[:2], image_b=encoded[2:4], landmarks_a=landmarks[:2], landmarks_b=landmarks[2:4]
    )
    distances = np.linalg.norm(expected[:2] - expected[2:4], axis=1)
    np.testing.assert_allclose(answer["distance"], distances, rtol=1e-4)
    np.testing.assert_allclose(answer["probability"], 1 / (1 + np.exp(2.0 * distances - 1.0)), rtol=1e-4)
    np.testing.assert_array_equal(answer["same"], distances <= 0.5)
    np.testing.assert_array_equal(answer["threshold"], np.full_like(distances, 0.5))
    with pytest.raises(tf.errors.InvalidArgumentError, match="as many landmarks as images, and there are 4 for 5"):
        functions["serving_default"](image=given["image"], landmarks=given["landmarks"][:4])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have equally many rows, and have 2, 2, 3, 1"):
        functions["verify"](
            image_a=encoded[:2], image_b=encoded[2:4], landmarks_a=landmarks[:3], landmarks_b=landmarks[3:4]
        )


def test_landmarks_that_are_none_are_errors_of_their_rows(pose_encoder, pose_module, image_files, encoded):
    functions, landmarks = pose_module.functions, landmarks_of(5)
    expected = pose_encoder(image_files, landmarks=landmarks)
    landmarks[1] *= 70  # pixels
    landmarks[3, 4, 0] = np.nan
    images = [*encoded[:3], b"<html>", encoded[4]]
    answer = functions["serving_default"](image=tf.constant(images), landmarks=landmarks)
    wrong = "has landmarks that are not finite, or outside the unit square of the image"
    unknown = "is neither JPEG nor PNG; it begins with: <html>"
    assert said(answer["error"]) == ["", wrong, "", f"{unknown}; {wrong}", ""]
    assert np.isnan(answer["embedding"]).all(axis=1).tolist() == [False, True, False, True, False]
    assert_close(answer["embedding"].numpy()[::2], expected[::2])
    decoded = functions["embed_image"](image=tf.zeros((5, 9, 9, 3), tf.uint8), landmarks=landmarks)["embedding"]
    assert np.isnan(decoded).all(axis=1).tolist() == [False, True, False, True, False]
    sides = {"image_a": tf.constant(images[:2]), "image_b": tf.constant(images[2:4])}
    pairs = functions["verify"](**sides, landmarks_a=landmarks[:2], landmarks_b=landmarks[2:4])
    assert said(pairs["error"]) == ["", f"image_a {wrong}; image_b {unknown}; {wrong}"]


FIRST, SECOND = np.triu_indices(5)  # all pairs, an image and itself among them


def verified(signature, encoded):
    return signature(
        image_a=tf.constant([encoded[i] for i in FIRST]), image_b=tf.constant([encoded[i] for i in SECOND])
    )


def verifier_says(system, vectors):
    pairs = {"embedding_a": vectors[FIRST], "embedding_b": vectors[SECOND]}
    return system.verifier.predict(pairs, verbose=0)["probability"][:, 0]


def test_a_calibrated_model_decides_by_the_distance_alone(
    signatures, make_encoder, system, calibration, image_files, encoded
):
    vectors, answer = make_encoder()(image_files), verified(signatures["verify"], encoded)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - (unit[FIRST] * unit[SECOND]).sum(axis=1)
    np.testing.assert_allclose(answer["distance"], distances, atol=1e-5)
    np.testing.assert_allclose(answer["probability"], calibration.probability(distances), atol=1e-4)
    same, probability = answer["same"].numpy(), answer["probability"].numpy()
    np.testing.assert_array_equal(same, distances <= calibration.threshold)
    assert 0 < np.mean(same) < 1
    assert probability[same].min() >= probability[~same].max()  # unlike the verifier's, which would contradict:
    scores = verifier_says(system, vectors)
    assert scores[same].min() < scores[~same].max()
    with pytest.raises(tf.errors.InvalidArgumentError, match="image_b must have equally many rows, and have 1, 2"):
        signatures["verify"](image_a=tf.constant(encoded[:1]), image_b=tf.constant(encoded[:2]))


def test_without_a_calibration_the_verifier_says_how_probable_it_is(
    uncalibrated, make_encoder, system, image_files, encoded
):
    vectors = make_encoder(flip=True)(image_files)
    answer = verified(uncalibrated.functions["verify"], [*encoded[:4], b"<html>"])
    expected, bad = verifier_says(system, vectors), SECOND == 4
    assert np.ptp(expected[~bad]) > 0.01
    assert set(answer) == {"probability", "distance", "error"}
    np.testing.assert_allclose(answer["probability"], np.where(bad, np.nan, expected), atol=1e-5)
    np.testing.assert_array_equal(np.isnan(answer["distance"]), bad)
    assert said(answer["error"])[4] == "image_b is neither JPEG nor PNG; it begins with: <html>"


@pytest.mark.parametrize("kind", sorted(DISTANCES))
def test_the_distance_of_a_pair_is_that_of_retrieval(kind):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, 6)).astype(np.float32)
    first[1] = 0
    ((_, matrix),) = distance_blocks(first, second, kind)
    for of_pairs in (distance_of_pairs(first, second, kind), distance_of_pairs(tf.constant(first), second, kind)):
        np.testing.assert_allclose(of_pairs, np.diag(matrix), rtol=1e-4, atol=1e-6)


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
    (whole,), error = decoder(reference.shape[:2])([image])
    assert error == [""]
    difference = np.abs(whole.astype(int) - reference)
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


def test_every_bad_image_of_a_request_has_its_error_and_the_others_their_pixels(encoded):
    good = encoded[0]
    bad = [b"<html>'not' \xff", huge_png(), good[: len(good) // 2], huge_jpeg(), b"", good[:12], b"\xff\xd8-\x00]"]
    pixels, error = decoder(SIZE)([good, *bad, encoded[1]])
    assert error == [
        "",
        "is neither JPEG nor PNG; it begins with: <html>'n",
        f"has 50000000000 pixels, more than the {MOST} allowed",
        f"is not a valid JPEG or PNG ({len(good) // 2} bytes)",
        f"has 3600000000 pixels, more than the {MOST} allowed",
        "is neither JPEG nor PNG; it begins with: ",
        "is not a valid JPEG or PNG (12 bytes)",
        "is neither JPEG nor PNG; it begins with: <ff><d8>-<00>]",
        "",
    ]
    assert not pixels[1:-1].any()
    np.testing.assert_array_equal(pixels[[0, -1]], decoder(SIZE)(encoded[:2])[0])
    pixels, error = decoder(SIZE)([b"GIF89a"] * 2)
    assert pixels.shape == (2, *SIZE, 3)
    assert error == ["is neither JPEG nor PNG; it begins with: GIF89a"] * 2


def test_a_bad_image_spoils_its_own_row_alone(signatures, make_encoder, image_files, encoded):
    images = tf.constant([encoded[0], b"a", encoded[1], encoded[2][:-300]])
    reasons = [
        "",
        "is neither JPEG nor PNG; it begins with: a",
        "",
        f"is not a valid JPEG or PNG ({len(encoded[2]) - 300} bytes)",
    ]
    for name, output in (("serving_default", "embedding"), ("attributes", "attributes")):
        answer, alone = signatures[name](image=images), signatures[name](image=tf.constant(encoded[:2]))
        assert said(answer["error"]) == reasons
        assert np.isnan(answer[output]).all(axis=1).tolist() == [False, True, False, True]
        assert_close(answer[output].numpy()[::2], alone[output].numpy())
    answer = signatures["verify"](image_a=images, image_b=tf.constant([encoded[0], encoded[1], b"b", b"c"]))
    assert said(answer["error"]) == [
        "",
        f"image_a {reasons[1]}",
        "image_b is neither JPEG nor PNG; it begins with: b",
        f"image_a {reasons[3]}; image_b is neither JPEG nor PNG; it begins with: c",
    ]
    for output in ("distance", "probability"):
        assert np.isnan(answer[output]).tolist() == [False, True, True, True]
    assert answer["same"].numpy().tolist() == [True, False, False, False]


def test_the_limit_itself_is_allowed():
    image = encode(drawn(0, 20, 10), ".png")
    (pixels,), error = decoder((20, 10), 200)([image])
    np.testing.assert_array_equal(pixels, drawn(0, 20, 10))
    assert error == [""]
    assert decoder((20, 10), 199)([image])[1] == ["has 200 pixels, more than the 199 allowed"]


@pytest.mark.parametrize(("suffix", "begins"), [(".bmp", "BM"), (".webp", "RIFF")])
def test_other_formats_are_refused(suffix, begins):
    (error,) = decoder(SIZE)([encode(drawn(0), suffix)])[1]
    assert error.startswith(f"is neither JPEG nor PNG; it begins with: {begins}")


def test_decoded_images_without_pixels_are_refused(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="need at least one pixel"):
        signatures["embed_image"](image=tf.zeros((2, 0, 20, 3), tf.uint8))


def test_the_model_inside_is_folded_and_beside_a_calibration_there_is_no_verifier(export, make_encoder, system):
    saved = [name for name, _ in tf.train.list_variables(str(export / "1" / "variables" / "variables"))]
    weights = {name.split("/")[1] for name in saved if name.startswith("weights/")}
    folded = make_encoder().folded().model
    assert len(folded.variables) < len(system.encoder.variables)
    assert len(weights) == len(folded.variables)


def test_what_the_signatures_take_and_give(pose_module, uncalibrated, make_encoder):
    described = describe_signatures(uncalibrated)
    numbers, text = {"dtype": "float32", "shape": [None]}, {"dtype": "string", "shape": [None]}
    assert described == {
        "serving_default": {
            "inputs": {"image": text},
            "outputs": {"embedding": {"dtype": "float32", "shape": [None, 6]}, "error": text},
        },
        "embed_image": {
            "inputs": {"image": {"dtype": "uint8", "shape": [None, None, None, 3]}},
            "outputs": {"embedding": {"dtype": "float32", "shape": [None, 6]}},
        },
        "attributes": {
            "inputs": {"image": text},
            "outputs": {"attributes": {"dtype": "float32", "shape": [None, 30]}, "error": text},
        },
        "verify": {
            "inputs": {"image_a": text, "image_b": text},
            "outputs": {"distance": numbers, "probability": numbers, "error": text},
        },
    }
    described = describe_signatures(pose_module)
    assert set(described) == {"serving_default", "embed_image", "verify"}  # it knows no attributes
    assert described["verify"]["inputs"]["landmarks_a"] == {"dtype": "float32", "shape": [None, 18, 3]}
    assert described["verify"]["outputs"]["same"] == {"dtype": "bool", "shape": [None]}
    with pytest.raises(InputError, match="max_pixels must be a whole number of at least 1. Received: max_pixels=0"):
        build_serving_module(make_encoder(), None, None, False, 0)


def test_half_precision(encoded):
    image = keras.Input((*SIZE, 3), name="image")
    half = keras.layers.Conv2D(4, 3, dtype="mixed_float16")(image)
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float16")(half)
    embedding = keras.layers.Activation("linear", dtype="float32", name="embedding")(pooled)
    encoder = Encoder(keras.Model({"image": image}, {"embedding": embedding}), {"image": "image"}, SIZE)
    module = build_serving_module(encoder, None, None, True, MOST)
    assert set(module.functions) == {"serving_default", "embed_image"}  # nothing to verify with
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
