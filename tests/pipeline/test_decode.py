import io

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.pipeline.build import evaluation_batches
from reid_tf.pipeline.decode import (
    decode,
    decode_and_resize,
    decode_batch,
    load_images,
    naming_broken_images,
    read_image,
    resize_images,
)
from tests.datasets.made_files import bomb, file_of, lying
from tests.pipeline.made_images import SCHEMA, draw


def encode(image, suffix=".png"):
    """Encodes an RGB, RGBA or grey image."""
    if image.ndim == 3:
        image = image[..., [2, 1, 0, *range(3, image.shape[2])]]
    return cv2.imencode(suffix, image)[1].tobytes()


def resize_by_loop(image, size):
    """Bilinear with a triangle filter that widens where the image shrinks, weight by weight."""
    result = image.astype(np.float64)
    for axis in (0, 1):
        old, new = image.shape[axis], size[axis]
        reach = max(old / new, 1.0)
        weights = np.zeros((new, old))
        for target in range(new):
            centre = (target + 0.5) * old / new - 0.5
            for source in range(old):
                weights[target, source] = max(0.0, 1.0 - abs(source - centre) / reach)
        weights /= weights.sum(axis=1, keepdims=True)
        result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
    return result


def test_an_image_of_the_right_size_keeps_its_pixels_in_rgb():
    image = draw(0)
    decoded = decode_and_resize(tf.constant(encode(image)), (32, 16))
    assert decoded.dtype == tf.uint8
    np.testing.assert_array_equal(decoded, image)


@pytest.mark.parametrize("size", [(64, 32), (50, 23), (20, 9), (32, 40), (10, 40), (32, 16)])
def test_resizing_agrees_with_a_loop(size):
    image = np.random.default_rng(0).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    resized = decode_and_resize(tf.constant(encode(image)), size)
    assert resized.shape == (*size, 3)
    assert np.abs(resized.numpy() - resize_by_loop(image, size)).max() <= 0.5 + 1e-3  # rounded, not cut off


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_images_and_transparent_ones_become_rgb(channels):
    image = np.random.default_rng(0).integers(0, 256, (8, 4, channels), dtype=np.uint8)
    decoded = decode_and_resize(tf.constant(encode(image[..., 0] if channels == 1 else image)), (8, 4))
    np.testing.assert_array_equal(decoded, np.repeat(image, 3, axis=2) if channels == 1 else image[..., :3])


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 30}])
def test_a_jpeg_has_the_pixels_that_pillow_and_opencv_give(options):
    encoded = file_of(draw(3, 61, 33), "jpeg", **options)
    decoded = decode(tf.constant(encoded)).numpy()
    np.testing.assert_array_equal(decoded, np.array(Image.open(io.BytesIO(encoded))))
    np.testing.assert_array_equal(decoded[..., ::-1], cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_lying_image_is_turned_upright_exactly(kind, orientation):
    encoded = lying(draw(3, 61, 33), kind, orientation)
    upright = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(encoded))))
    np.testing.assert_array_equal(decode(tf.constant(encoded)), upright)
    expected = resize_images([upright], (32, 16))
    np.testing.assert_array_equal(decode_batch(tf.constant([encoded]), (32, 16)), expected)


def test_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch):
    """In a graph of one's own, and inside a pipeline, where the file is named."""
    bombs = {kind: bomb(kind) for kind in ("png", "jpg")}
    for encoded in bombs.values():
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="has 529000000 pixels, more than the 25000000 allowed"
        ):
            decode(tf.constant(encoded))
        with pytest.raises(tf.errors.InvalidArgumentError, match="more than the 7 allowed"):
            decode(tf.constant(encode(draw(0))), 7)
    path = tmp_path / "bomb.png"
    path.write_bytes(bombs["png"])
    message = r"bomb\.png' has 529,000,000 pixels, more than the 25,000,000 allowed \(REID_TF_MAX_PIXELS"
    with pytest.raises(InputError, match=message), naming_broken_images([str(path)]):
        list(evaluation_batches([Record(str(path), 0, 0)], (32, 16), 2))
    small = tmp_path / "small.png"
    small.write_bytes(encode(draw(0)))
    monkeypatch.setenv("REID_TF_MAX_PIXELS", "511")
    with pytest.raises(InputError, match=r"small\.png' has 512 pixels, more than the 511 allowed"):
        load_images([str(small)], (32, 16))


def test_what_is_neither_jpeg_nor_png_fails():
    for encoded in (b"", b"GIF89a", file_of(draw(0), "bmp"), file_of(draw(0), "gif")):
        with pytest.raises(tf.errors.InvalidArgumentError):
            decode(tf.constant(encoded))


@pytest.mark.parametrize("kind", ["bmp", "gif", "webp", "tiff"])
def test_other_formats_are_read_inside_a_pipeline(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(file_of(np.full((9, 5, 3), (200, 30, 90), np.uint8), kind))
    records = [Record(str(path), 0, 0)]
    (batch,) = evaluation_batches(records, (9, 5), 1)
    np.testing.assert_array_equal(batch[0], read_image(str(path)))
    np.testing.assert_array_equal(read_image(str(path))[4, 2], (200, 30, 90))
    prepare(ReIDDataset("made", tuple(records), (), ()), tmp_path / "prepared")
    np.testing.assert_array_equal(
        read_image(load_dataset("prepared", str(tmp_path / "prepared")).train[0].path), batch[0]
    )


def test_eager_graph_and_dataset_give_the_same_pixels():
    encoded = tf.constant([encode(draw(seed, 20 + seed, 12)) for seed in range(5)])
    eager = [decode_and_resize(image, (32, 16)).numpy() for image in encoded]
    np.testing.assert_array_equal(decode_batch(encoded, (32, 16)), eager)
    dataset = tf.data.Dataset.from_tensor_slices(encoded).map(lambda image: decode_and_resize(image, (32, 16)))
    assert dataset.element_spec.shape == (32, 16, 3)
    np.testing.assert_array_equal(list(dataset.as_numpy_iterator()), eager)


def test_images_in_memory_are_resized_as_files_are(records):
    from_files = load_images([record.path for record in records], (48, 20))
    originals = [read_image(record.path) for record in records]
    assert originals[0].shape == (40, 24, 3)
    assert originals[1].shape == (32, 16, 3)
    np.testing.assert_array_equal(resize_images(originals, (48, 20)), from_files)
    as_floats = [image.astype(np.float32) for image in originals]
    np.testing.assert_array_equal(resize_images(as_floats, (48, 20)), from_files)
    np.testing.assert_array_equal(resize_images(np.stack([draw(0), draw(1)]), (32, 16)), [draw(0), draw(1)])


def test_no_images_make_an_empty_array():
    assert load_images([], (8, 4)).shape == (0, 8, 4, 3)
    assert resize_images([], (8, 4)).shape == (0, 8, 4, 3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((8, 4), np.uint8), r"shape \(8, 4\) for image 1"),
        (np.zeros((8, 4, 4), np.uint8), r"shape \(8, 4, 4\) for image 1"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (np.zeros((8, 4, 3), np.int64), "int64 for image 1"),
        (np.full((8, 4, 3), 0.5), "from 0.5 to 0.5 for image 1"),
        (np.full((8, 4, 3), 256.0), "from 256 to 256"),
        (np.full((8, 4, 3), -1.0), "from -1 to -1"),
        (np.full((8, 4, 3), np.nan), "from nan to nan"),
    ],
)
def test_arrays_that_are_no_images_are_refused(image, message):
    with pytest.raises(InputError, match=message):
        resize_images([np.zeros((8, 4, 3)), image], (8, 4))


def test_a_prepared_data_set_gives_the_same_images(records, tmp_path):
    prepare(ReIDDataset("made", records, (), (), SCHEMA), tmp_path / "prepared")
    stored = load_dataset("prepared", str(tmp_path / "prepared")).train
    mixed = [record.path for pair in zip(records, stored, strict=True) for record in pair]
    images = load_images(mixed, (32, 16))
    np.testing.assert_array_equal(images[::2], images[1::2])
    np.testing.assert_array_equal(read_image(stored[0].path), read_image(records[0].path))
    np.testing.assert_array_equal(np.concatenate(list(evaluation_batches(stored, (32, 16), 7))), images[::2])


@pytest.fixture(params=["missing", "empty", "page", "cut", "folder"])
def broken(request, tmp_path):
    """The path of a broken image, and what the message says about it."""
    path = tmp_path / f"{request.param}.jpg"
    if request.param == "folder":
        path.mkdir()
    elif request.param != "missing":
        whole = encode(draw(0, 128, 64), ".jpg")
        path.write_bytes(
            {"empty": b"", "page": b"<html>not found</html>", "cut": whole[: len(whole) // 2]}[request.param]
        )
    said = {"missing": "No such file", "folder": "Is a directory"}.get(request.param, "not a valid")
    return str(path), rf"{request.param}\.jpg.*{said}"


def test_a_broken_image_is_named(broken, records):
    path, message = broken
    with pytest.raises(InputError, match=message):
        read_image(path)
    with pytest.raises(InputError, match=message):
        load_images([records[0].path, path], (32, 16))


def test_a_broken_image_is_named_inside_a_pipeline(broken, records):
    path, message = broken
    paths = [records[0].path, path, records[1].path]
    batches = evaluation_batches([Record(each, 0, 0) for each in paths], (32, 16), 2)
    with pytest.raises(InputError, match=message), naming_broken_images(paths):
        list(batches)


def test_a_broken_image_is_named_inside_keras(records, tmp_path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"nothing")
    batches = evaluation_batches([records[0], Record(str(path), 0, 0)], (32, 16), 1)
    model = keras.Sequential([keras.Input((32, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(InputError, match=r"broken\.png' \(7 bytes\)"), naming_broken_images([str(path)]):
        model.predict(batches, verbose=0)


def test_an_error_that_no_image_explains_passes(records):
    with pytest.raises(tf.errors.InvalidArgumentError), naming_broken_images([records[0].path]):
        tf.reshape(tf.zeros([3]), [2])


@pytest.mark.parametrize("length", [8, 12, 16, 20, 23])
def test_a_png_without_a_header_is_named(tmp_path, length):
    """TensorFlow's own error would hold the bytes, which Python cannot read."""
    (tmp_path / "a.png").write_bytes(file_of(draw(1), "png")[:length])
    for read in (read_image, lambda path: load_images([path], (8, 4))):
        with pytest.raises(InputError, match=rf"a.png' \({length} bytes\) is not a valid JPEG"):
            read(str(tmp_path / "a.png"))
