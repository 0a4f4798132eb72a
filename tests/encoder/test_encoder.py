"""Encoders that take part boxes beside the image: where the landmarks come from."""

import dataclasses
import json

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import load_images
from reid_tf.pose.mirror import mirror_landmarks, mirrored_boxes
from reid_tf.pose.part_boxes import part_boxes
from reid_tf.registry import BACKBONES, MODELS
from tests.made_exports import pose_encoder

SIZE = (32, 16)


class Detector:
    """Landmarks from the colours of the pixels, so that every image has its own; remembers what it was asked for."""

    def __init__(self, image_size=(6, 3)):
        self.description = {"name": "colours"}
        self.image_size = image_size
        self.calls = []

    def __call__(self, images, paths):
        self.calls.append(list(paths))
        assert images.shape == (len(paths), *self.image_size, 3)
        return np.float32(images.reshape(len(paths), 18, 3) / 255)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    backbone = BACKBONES.build({"name": "tiny", "width": 4}, image_size=SIZE)
    options = {"shared_layers": 2, "grids": [[4, 4]] * 3, "global_dim": 4, "part_dims": [4, 4, 4]}
    return MODELS.build({"name": "joint_loss", **options}, backbone=backbone, num_identities=3).encoder


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> list[Record]:
    """Five images of random pixels in the encoder's size, with landmarks."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    made = []
    for index in range(5):
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (*SIZE, 3), np.uint8))
        landmarks = rng.uniform(0.2, 0.8, (18, 3)).astype(np.float32)
        made.append(Record(str(path), identity=index, camera=1, landmarks=landmarks))
    return made


@pytest.fixture
def landmarks(records) -> np.ndarray:
    return np.stack([record.landmarks for record in records])


@pytest.fixture
def pixels(records) -> list[np.ndarray]:
    return list(load_images([record.path for record in records], SIZE))


@pytest.fixture
def make(model):
    """A function that makes an encoder of the model."""

    def made(**options) -> Encoder:
        return Encoder(model, {"image": "image", "part_boxes": "part_boxes"}, SIZE, "euclidean", **options)

    return made


def bare(records):
    return [dataclasses.replace(record, landmarks=None) for record in records]


def paths_of(records):
    return [record.path for record in records]


def assert_close(ours, others):
    np.testing.assert_allclose(ours, others, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_records_arrays_and_paths_with_landmarks_or_boxes_agree(make, model, records, landmarks, pixels, flip):
    encoder = make(flip=flip)
    boxes = part_boxes(landmarks)
    expected = model({"image": np.float32(pixels), "part_boxes": boxes})["embedding"]
    if flip:
        mirrored = {"image": np.float32(pixels)[:, :, ::-1], "part_boxes": mirrored_boxes(boxes)}
        expected = (expected + model(mirrored)["embedding"]) / 2
    assert_close(embed(encoder, records, batch_size=2, verbose=0).vectors, expected)
    assert_close(encoder(pixels, landmarks=landmarks, batch_size=2), expected)
    assert_close(encoder(pixels, part_boxes=boxes, batch_size=2), expected)
    assert_close(encoder(paths_of(records), landmarks=landmarks.tolist()), expected)
    assert np.ptp(expected, axis=0).min() > 1e-3  # not all images are alike


def test_the_boxes_matter_and_are_preferred_to_landmarks(make, landmarks, pixels):
    encoder = make()
    boxes = np.tile(np.float32([0.0, 0.0, 0.5, 0.5]), (5, 3, 1))
    from_boxes = encoder(pixels, part_boxes=boxes)
    assert np.abs(from_boxes - encoder(pixels, landmarks=landmarks)).max() > 1e-3
    assert_close(encoder(pixels, landmarks=landmarks, part_boxes=boxes), from_boxes)


def test_a_flipping_encoder_is_symmetric(make, landmarks, pixels):
    """An image and its mirror image, with its mirrored landmarks, have one embedding."""
    mirrored = [image[:, ::-1] for image in pixels]
    swapped = mirror_landmarks(landmarks)
    flipping, straight = make(flip=True), make()
    assert_close(flipping(mirrored, landmarks=swapped), flipping(pixels, landmarks=landmarks))
    both = [straight(pixels, landmarks=landmarks), straight(mirrored, landmarks=swapped)]
    assert_close(flipping(pixels, landmarks=landmarks), np.mean(both, axis=0))
    assert np.abs(both[0] - both[1]).max() > 1e-3


def test_an_encoder_of_images_alone_asks_for_no_landmarks(records):
    image = keras.Input((*SIZE, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D(name="embedding")(image)
    detector = Detector()
    encoder = Encoder(keras.Model({"image": image}, {"embedding": mean}), {"image": "image"}, SIZE, detector=detector)
    assert not encoder.needs_landmarks
    expected = load_images(paths_of(records), SIZE).mean(axis=(1, 2))
    assert_close(embed(encoder, bare(records), verbose=0).vectors, expected)
    assert_close(encoder(paths_of(records)), expected)
    assert detector.calls == []


def test_records_without_landmarks_are_looked_at_and_no_others(make, records, landmarks):
    detector = Detector()
    some = [bare([record])[0] if index in (1, 4) else record for index, record in enumerate(records)]
    found = embed(make(detector=detector), some, verbose=0).vectors
    assert detector.calls == [[records[1].path, records[4].path]]
    expected = landmarks.copy()
    expected[[1, 4]] = Detector()(load_images([records[1].path, records[4].path], (6, 3)), ["", ""])
    assert_close(found, make()(paths_of(records), landmarks=expected))
    embed(make(detector=detector), records, verbose=0)
    assert len(detector.calls) == 1


def test_images_without_landmarks_are_looked_at_in_batches(make, records, landmarks, pixels):
    detector = Detector()
    encoder, paths = make(detector=detector), paths_of(records)
    expected = make()(pixels, landmarks=Detector()(load_images(paths, (6, 3)), paths))
    assert_close(encoder(paths, batch_size=2), expected)
    assert detector.calls == [paths[:2], paths[2:4], paths[4:]]
    detector.calls.clear()
    assert_close(encoder(pixels), expected)
    assert detector.calls == [[f"image {index}" for index in range(5)]]
    detector.calls.clear()
    encoder(pixels, landmarks=landmarks)
    encoder(pixels, part_boxes=part_boxes(landmarks))
    assert encoder([]).shape == (0, encoder.dim)
    assert detector.calls == []


def write_run(folder, encoder):
    encoder.model.save(folder / "encoder.keras")
    (folder / "manifest.json").write_text(json.dumps({"encoder": encoder.describe()}))


def test_a_loaded_encoder_knows_its_inputs_and_takes_a_detector(make, records, landmarks, pixels, tmp_path):
    write_run(tmp_path, make(flip=True))
    expected = make(flip=True)(pixels, landmarks=landmarks)
    loaded = load_encoder(tmp_path)
    assert (loaded.detector, loaded.inputs["part_boxes"], loaded.distance) == (None, "part_boxes", "euclidean")
    assert_close(loaded(pixels, landmarks=landmarks), expected)
    write_landmarks(tmp_path / "found.npz", {f"{index}.png": points for index, points in enumerate(landmarks)})
    component = {"name": "landmark_file", "path": str(tmp_path / "found.npz"), "format": "npz"}
    with_file = load_encoder(tmp_path, detector=component)
    assert with_file.detector.description["name"] == "landmark_file"
    assert_close(with_file(paths_of(records), batch_size=2), expected)
    assert_close(embed(with_file, bare(records), batch_size=2, verbose=0).vectors, expected)
    assert_close(with_file(pixels, landmarks=landmarks), expected)


def test_a_file_of_landmarks_knows_paths_and_no_pixels(make, model, records, landmarks, pixels, tmp_path, caplog):
    write_run(tmp_path, make())
    # The file names one image only: all paths are looked up in one call, or a batch without it would be refused.
    write_landmarks(tmp_path / "found.npz", {"0.png": landmarks[0]})
    encoder = load_encoder(
        tmp_path, detector={"name": "landmark_file", "path": str(tmp_path / "found.npz"), "format": "npz"}
    )
    some = np.concatenate([landmarks[:1], np.zeros((4, 18, 3), np.float32)])
    assert_close(encoder([*paths_of(records)], batch_size=1), make()(pixels, landmarks=some))
    assert "found.npz lacks 4 of 5 images: no landmark found." in caplog.text
    with pytest.raises(
        InputError, match="'landmark_file' knows images by their path .* give paths, or `landmarks`. Received: 5 arrays"
    ):
        encoder(pixels)


@pytest.mark.parametrize(
    "detector",
    [
        ({"name": "movenett", "model_file": "x"}, "Unknown landmark detector: 'movenett'. Did you mean 'movenet'"),
        ({"name": "landmark_file", "path": "none.npz", "format": "npz"}, "'none.npz' does not exist"),
    ],
)
def test_a_detector_that_cannot_be_made(make, tmp_path, detector):
    write_run(tmp_path, make())
    component, message = detector
    with pytest.raises(InputError, match=message):
        load_encoder(tmp_path, detector=component)


def test_no_landmarks_and_nobody_to_find_them(make, records, pixels):
    message = r"load it with a detector, load_encoder\(run, detector=\{.*Received: 5 images without landmarks"
    for images in (pixels, paths_of(records)):
        with pytest.raises(InputError, match=message):
            make()(images)
    some = [*records[:3], *bare(records[3:])]
    with pytest.raises(InputError, match=r"2 of 5 images have none, the first being '.*3\.png'; `reid-tf landmarks"):
        embed(make(), some, verbose=0)


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


def test_landmarks_and_boxes_that_are_wrong_are_named(make, landmarks, pixels):
    boxes = part_boxes(landmarks)
    cases = [
        ({"landmarks": landmarks[:4]}, "as many landmarks as images. Received: 4 for 5 images"),
        ({"part_boxes": boxes[:3]}, "as many part_boxes as images. Received: 3 for 5 images"),
        ({"landmarks": landmarks[:, :17]}, r"must be \[5, 18, 3\] .* Received: \[5, 17, 3\]"),
        ({"landmarks": changed(landmarks, (3, 2, 0), np.nan)}, "must be finite numbers. Received for 'image 3'"),
        ({"landmarks": landmarks * 100}, r"in \[0, 1\] \(of the image, not pixels\). Received for 'image 0'"),
        ({"part_boxes": boxes[:, :2]}, r"must be numbers \[batch, 3, 4\]. Received: \[5, 2, 4\]"),
        ({"part_boxes": changed(boxes, (2, 1, 0), np.inf)}, "finite numbers. .*for the trunk of image 2"),
        ({"part_boxes": changed(boxes, (4, 2), 0.5)}, "left < right and top < bottom. .*the lower limbs of image 4"),
        ({"part_boxes": changed(boxes, (1, 0, 3), 1.5)}, r"in \[0, 1\] of the image .*the head of image 1"),
    ]
    for given, message in cases:
        with pytest.raises(InputError, match=message):
            make()(pixels, **given)


def test_arrays_and_paths_are_not_mixed(make, records, pixels):
    for encoder in (make(detector=Detector()), make(detector=Detector(image_size=None))):
        with pytest.raises(InputError, match="all arrays or all paths. Received: 2 arrays, 3 paths"):
            encoder([*pixels[:2], *paths_of(records[2:])])


def test_options_change_in_a_copy():
    encoder = pose_encoder()
    changed = encoder.with_options(flip=True, normalize=True, distance="cosine")
    assert (changed.flip, changed.normalize, changed.distance) == (True, True, "cosine")
    assert (encoder.flip, encoder.normalize, encoder.distance) == (False, False, "euclidean")
    assert changed.runtime is encoder.runtime
    with pytest.raises(InputError, match="Unknown option of an encoder: 'normalise'. Did you mean 'normalize'"):
        encoder.with_options(normalise=True)


def colours() -> Encoder:
    """An encoder of the mean colour."""
    image = keras.Input((*SIZE, 3), name="image")
    return Encoder(keras.Model({"image": image}, {"embedding": keras.layers.GlobalAveragePooling2D()(image)}))


def plain(count: int) -> list[np.ndarray]:
    """Images of one colour each, which is their number."""
    return [np.full((20 + number, 10, 3), number, np.uint8) for number in range(count)]


def test_images_may_come_from_anywhere(tmp_path):
    encoder, expected = colours(), np.repeat(np.float32(range(7))[:, np.newaxis], 3, axis=1)
    resized = np.stack([np.full((*SIZE, 3), number, np.uint8) for number in range(7)])
    for images in (
        plain(7),
        tuple(plain(7)),
        iter(plain(7)),
        (image for image in plain(7)),
        resized,
        [resized[:4], resized[4:]],  # as a data loader gives them
        tf.data.Dataset.from_tensor_slices(resized).batch(3),
        tf.data.Dataset.from_tensor_slices(resized),
    ):
        assert_close(encoder(images, batch_size=3), expected)
    cv2.imwrite(str(tmp_path / "a.png"), plain(4)[3])
    for paths in ([tmp_path / "a.png"], np.array([str(tmp_path / "a.png")]), iter([str(tmp_path / "a.png")])):
        assert_close(encoder(paths), expected[3:4])
    for batch_size in (1, np.int64(2), 7, 100):
        assert_close(encoder(iter(plain(7)), batch_size=batch_size), expected)
    assert encoder(iter([])).shape == (0, 3)


def test_a_generator_is_not_held_in_memory():
    alive, most = set(), []

    class Image(np.ndarray):
        def __del__(self):
            alive.discard(id(self))

    def camera():
        for _ in range(40):
            image = np.zeros((8, 4, 3), np.uint8).view(Image)
            alive.add(id(image))
            most.append(len(alive))
            yield image

    assert colours()(camera(), batch_size=4).shape == (40, 3)
    assert max(most) < 20


def test_what_is_no_sequence_of_images_gets_its_own_sentence():
    encoder = colours()
    for images, message in (
        (
            plain(1)[0],
            r"A single image goes in a list, encoder\(\[image\]\).* Received: an array of shape \[20, 10, 3\]",
        ),
        (np.zeros((8, 4)), r"Received: an array of shape \[8, 4\]"),
        (np.zeros(3), r"shape \(\) for image 0"),
        ("a.png", "must be a sequence of paths or arrays. Received: 'a.png'"),
        (3, "one after the other. Received: int"),
        (None, "one after the other. Received: NoneType"),
        ({"a": 1}, "one after the other. Received: dict"),
        ([None], "Image 0 is None, which is what cv2.imread gives for a file that it cannot read"),
        ([[[1], [1, 2]]], r"Image 0 is no array \[height, width, 3\]"),
        ([3], r"shape \(\) for image 0"),
    ):
        with pytest.raises(InputError, match=message):
            encoder(images)


@pytest.fixture
def seventy(tmp_path):
    """Images of which the last but one is empty, and the bytes of the 20th are none."""
    arrays = plain(72)
    arrays[70] = np.zeros((0, 10, 3), np.uint8)
    arrays[40] = None
    paths = []
    for number in range(72):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), plain(number + 1)[number])
        paths.append(path)
    paths[70].write_bytes(b"none")
    paths[40].unlink()
    return arrays, paths


def test_an_image_that_cannot_be_read_is_named_by_the_callers_index(seventy):
    arrays, paths = seventy
    encoder = colours()
    with pytest.raises(InputError, match="Image 40 is None"):
        encoder(arrays, batch_size=16)
    arrays[40] = arrays[0]
    with pytest.raises(InputError, match=r"shape \(0, 10, 3\) for image 70\.$"):
        encoder(iter(arrays), batch_size=16)
    with pytest.raises(InputError, match=r"40\.png' cannot be read.* \(image 40\); so is image 70\.$"):
        encoder(paths, batch_size=100)
    with pytest.raises(InputError, match=r"70\.png' \(4 bytes\) is not a valid .* image \(image 6\)\.$"):
        encoder(paths[64:])


def test_the_others_get_their_answers(seventy, caplog):
    encoder = colours()
    for images in seventy:
        for batch_size in (16, 100):
            caplog.clear()
            vectors = encoder(images, batch_size=batch_size, on_error="nan")
            assert np.flatnonzero(np.isnan(vectors).any(axis=1)).tolist() == [40, 70]
            assert_close(np.delete(vectors, [40, 70], axis=0)[:, 0], np.delete(np.arange(72), [40, 70]))
            assert all(str(place) in caplog.text for place in (40, 70))
            assert "Their rows are NaN." in caplog.text
    assert np.isnan(encoder([None, None], on_error="nan")).all()
    with pytest.raises(InputError, match="on_error must be 'raise' or 'nan'. Received: on_error='skip'"):
        encoder(plain(1), on_error="skip")


def test_landmarks_of_the_others_stay_theirs(make, landmarks, pixels):
    images = [*pixels[:2], None, *pixels[3:]]
    detector, sound = Detector(), [0, 1, 3, 4]
    expected = make()(pixels, landmarks=landmarks)
    assert_close(make()(images, landmarks=landmarks, on_error="nan")[sound], expected[sound])
    expected = make(detector=Detector())(pixels)
    found = make(detector=detector)(images, batch_size=2, on_error="nan")
    assert_close(found[sound], expected[sound])
    assert np.isnan(found[2]).all()
    assert detector.calls == [["image 0", "image 1"], ["image 3"], ["image 4"]]
