import json
import logging

import cv2
import h5py
import numpy as np
import pytest

from reid_tf.datasets.joint_orders import BODY_25, COCO_17, MPII_14, in_coco_18
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.errors import InputError
from reid_tf.registry import DETECTORS

WIDTH, HEIGHT = 24, 48


@pytest.fixture
def images(tmp_path):
    """Three images in two folders, of one size; the names of the paths that a detector gets."""
    paths = [tmp_path / "data" / name for name in ("query/a.jpg", "query/b.png", "gallery/a.jpg")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return [str(path) for path in paths]


def detect(path, format, paths):
    detector = DETECTORS.build({"name": "landmark_file", "path": str(path), "format": format})
    assert detector.image_size is None
    assert detector.description["format"] == format
    landmarks = detector(None, paths)
    assert landmarks.shape == (len(paths), 18, 3)
    assert landmarks.dtype == np.float32
    return landmarks


def points_in_pixels(seed, count):
    """Points inside the image with a confidence."""
    return np.random.default_rng(seed).random((count, 3)) * (WIDTH, HEIGHT, 1)


def relative(points, order, size=(WIDTH, HEIGHT)):
    return in_coco_18(points[np.newaxis] / (*size, 1), order)[0]


# The package's own file.


def test_own_files_name_images_by_path_or_file_name(images, tmp_path, caplog):
    wanted = np.random.default_rng(0).random((2, 18, 3)).astype(np.float32)
    write_landmarks(tmp_path / "own.npz", {"query/a.jpg": wanted[0], "b.png": wanted[1]})
    with caplog.at_level(logging.WARNING):
        landmarks = detect(tmp_path / "own.npz", "npz", images)
    np.testing.assert_array_equal(landmarks[:2], wanted)
    assert not landmarks[2].any()  # gallery/a.jpg is another image than query/a.jpg
    assert "own.npz lacks 1 of 3 images: no landmark found." in caplog.text


def test_a_file_that_names_other_images_is_refused(images, tmp_path):
    write_landmarks(tmp_path / "own.npz", {"train/c.jpg": np.zeros((18, 3))})
    with pytest.raises(InputError, match=r"none of the 3 images: its first is 'train/c.jpg', and the first image is '"):
        detect(tmp_path / "own.npz", "npz", images)


def test_the_same_content_is_the_same_detector(tmp_path):
    descriptions = []
    for name, value in (("a.npz", 0.5), ("b.npz", 0.5), ("c.npz", 0.6)):
        write_landmarks(tmp_path / name, {"x.jpg": np.full((18, 3), value)})
        component = {"name": "landmark_file", "path": str(tmp_path / name), "format": "npz"}
        descriptions.append(DETECTORS.build(component).description)
    assert descriptions[0] == descriptions[1] != descriptions[2]


def test_a_missing_file_is_named_at_once(tmp_path):
    with pytest.raises(InputError, match=r"landmark file '.*none.npz' does not exist"):
        DETECTORS.build({"name": "landmark_file", "path": str(tmp_path / "none.npz"), "format": "npz"})


# COCO.


def write_coco(path, persons, sizes=True):
    """Writes a COCO file of (file name, points [17, 3]), a person each."""
    names = list(dict.fromkeys(name for name, _ in persons))
    size = {"width": 2 * WIDTH, "height": 2 * HEIGHT} if sizes else {}
    content = {
        "images": [{"id": 7 + index, "file_name": name, **size} for index, name in enumerate(names)],
        "annotations": [
            {"image_id": 7 + names.index(name), "keypoints": points.ravel().tolist()} for name, points in persons
        ]
        + [{"image_id": 7, "bbox": [0, 0, 1, 1]}],
    }
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("sizes", [True, False])
def test_coco_scores(images, tmp_path, sizes):
    points = points_in_pixels(1, 17)
    write_coco(tmp_path / "coco.json", [("query/a.jpg", points)], sizes)
    # The file's own size counts, where it says one: the image may have been resized since.
    size = (2 * WIDTH, 2 * HEIGHT) if sizes else (WIDTH, HEIGHT)
    np.testing.assert_allclose(
        detect(tmp_path / "coco.json", "coco", images)[0], relative(points, COCO_17, size), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [10**400, *[1] * 50]}, r"keypoints must be 51 numbers .*, all finite. Received: \[1000"),
        ({"keypoints": [float("nan")] * 51}, r"keypoints must be 51 numbers .*Received: \[nan, nan"),
        ({"file_name": [1]}, r"1 images have no file_name that is text"),
        ({"width": None}, r"width and height must be 2 numbers .*Received: \[None, \d+\]"),
        ({"height": 0}, r"width and height must be above 0. Received: \[\d+, 0\]"),
        ({"id": [7]}, r"is not a COCO keypoint file, .*unhashable"),
    ],
)
def test_senseless_values_in_a_coco_file_are_named(change, message, images, tmp_path):
    write_coco(tmp_path / "coco.json", [("query/a.jpg", points_in_pixels(1, 17))])
    content = json.loads((tmp_path / "coco.json").read_text())
    for field, value in change.items():
        content["annotations" if field == "keypoints" else "images"][0][field] = value
    (tmp_path / "coco.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        detect(tmp_path / "coco.json", "coco", images)


def test_json_of_lists_in_lists_is_a_sentence(images, tmp_path):
    (tmp_path / "coco.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match="is not a JSON file: .*recursion"):
        detect(tmp_path / "coco.json", "coco", images)


def test_coco_visibilities_become_confidences(images, tmp_path):
    points = points_in_pixels(1, 17)
    points[:, 2] = np.arange(17) % 3
    write_coco(tmp_path / "coco.json", [("a.jpg", points)])
    landmarks = detect(tmp_path / "coco.json", "coco", images)
    np.testing.assert_array_equal(landmarks[0, :, 2], landmarks[2, :, 2])  # both are called a.jpg
    points[:, 2] /= 2
    np.testing.assert_array_equal(landmarks[0, :, 2], relative(points, COCO_17)[:, 2])


def test_of_several_persons_the_surest_counts(images, tmp_path):
    persons = [points_in_pixels(seed, 17) for seed in range(4)]
    write_coco(tmp_path / "coco.json", [("query/a.jpg", points) for points in persons], sizes=False)
    surest = max((relative(points, COCO_17) for points in persons), key=lambda landmarks: landmarks[:, 2].sum())
    np.testing.assert_allclose(detect(tmp_path / "coco.json", "coco", images)[0], surest, rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a JSON file"),
        ("[]", "is not a COCO keypoint file, with `images`"),
        (
            '{"images": [], "annotations": [{"image_id": 3, "keypoints": []}]}',
            r"not a COCO keypoint file.*KeyError\(3\)",
        ),
        (
            '{"images": [{"id": 3, "file_name": "a.jpg"}], "annotations": [{"image_id": 3, "keypoints": [1, 2]}]}',
            r"keypoints must be 51 numbers .*. Received: \[1, 2\]",
        ),
    ],
)
def test_other_json_is_named(images, tmp_path, content, message):
    (tmp_path / "coco.json").write_text(content)
    with pytest.raises(InputError, match=message):
        detect(tmp_path / "coco.json", "coco", images)


# OpenPose.


def write_openpose(path, people):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"version": 1.3, "people": [{"pose_keypoints_2d": points.ravel().tolist()} for points in people]}
    path.write_text(json.dumps(content))


def test_openpose_writes_a_file_an_image(images, tmp_path):
    body, coco, weaker = points_in_pixels(1, 25), points_in_pixels(2, 18), points_in_pixels(3, 25)
    weaker[:, 2] /= 10
    write_openpose(tmp_path / "json" / "query" / "a_keypoints.json", [weaker, body])
    write_openpose(tmp_path / "json" / "query" / "b_keypoints.json", [coco])
    write_openpose(tmp_path / "json" / "gallery" / "a_keypoints.json", [])
    landmarks = detect(tmp_path / "json", "openpose", images)
    np.testing.assert_allclose(landmarks[0], relative(body, BODY_25), rtol=1e-5)
    np.testing.assert_allclose(landmarks[1], relative(coco, range(18)), rtol=1e-5)
    assert not landmarks[2].any()
    one = detect(tmp_path / "json" / "query" / "b_keypoints.json", "openpose", images)
    np.testing.assert_array_equal(one[1], landmarks[1])
    assert not one[[0, 2]].any()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", r"not an OpenPose file with `people`. Received: \[1\]"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "must be 54 .* or 75 .* numbers. Received: 3 values"),
        ('{"people": [{"face": []}]}', "must be 54 .* numbers. Received: {'face'"),
        (
            '{"people": [{"pose_keypoints_2d": [' + ", ".join(['"x"'] * 54) + "]}]}",
            "must be 54 numbers .*Received: .'x'",
        ),
    ],
)
def test_other_openpose_files_are_named(images, tmp_path, content, message):
    (tmp_path / "a_keypoints.json").write_text(content)
    with pytest.raises(InputError, match=message):
        detect(tmp_path, "openpose", images)


def test_a_folder_without_openpose_files_is_named(images, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    for path in (tmp_path, tmp_path / "a.json"):
        with pytest.raises(InputError, match="named IMAGE_keypoints.json. Received: "):
            detect(path, "openpose", images)


def test_an_image_without_a_size_is_named(images, tmp_path):
    write_openpose(tmp_path / "json" / "query" / "a_keypoints.json", [points_in_pixels(1, 25)])
    for content in (b"no image", b"\xff\xd8\xff no JPEG"):
        with open(images[0], "wb") as file:
            file.write(content)
        with pytest.raises(InputError, match=rf"a.jpg' \({len(content)} bytes\) is not a valid JPEG"):
            detect(tmp_path / "json", "openpose", images)


# Market-1501's body points.


def write_body_points(path, rows):
    """Writes [images, 28] as MATLAB 7.3 does: a user block, then HDF5 with the axes the other way round."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["pp"] = rows
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))


@pytest.fixture
def market(tmp_path):
    paths = []
    for folder in ("bounding_box_train", "query"):
        (tmp_path / "market" / folder).mkdir(parents=True)
        for name in ("0002_c1s1_1_0.jpg", "-1_c1s1_1_0.jpg", "0001_c1s1_1_0.jpg"):
            (tmp_path / "market" / folder / name).touch()
            paths.append(str(tmp_path / "market" / folder / name))
    return paths


def test_body_points_are_matched_in_the_order_of_names(market, tmp_path):
    rows = {split: np.random.default_rng(len(split)).integers(1, 65, (3, 28)) for split in ("train", "query")}
    for split, values in rows.items():
        write_body_points(tmp_path / "points" / f"market_{split}.mat", values)
    landmarks = detect(tmp_path / "points", "market1501", market)
    for position, (split, row) in enumerate((split, row) for split in ("train", "query") for row in (2, 0, 1)):
        x, y = rows[split][row].reshape(2, 14) - 0.5
        points = np.stack([x / 64, y / 128, np.ones(14)], axis=-1)
        np.testing.assert_allclose(landmarks[position], in_coco_18(points[np.newaxis], MPII_14)[0], rtol=1e-6)
    assert not landmarks[:, [0, 14, 15, 16, 17]].any()
    only_query = detect(tmp_path / "points" / "market_query.mat", "market1501", market)
    np.testing.assert_array_equal(only_query[3:], landmarks[3:])
    assert not only_query[:3].any()


def test_body_points_of_other_images_are_named(market, images, tmp_path):
    write_body_points(tmp_path / "train.mat", np.ones((4, 28)))
    with pytest.raises(
        InputError, match=r"points of 4 images, but '.*_train' holds 3; they are matched by their order"
    ):
        detect(tmp_path / "train.mat", "market1501", market)
    with pytest.raises(InputError, match=r"in bounding_box_train/ and query/; none of the 1 images is there"):
        detect(tmp_path / "train.mat", "market1501", images[2:])
    write_body_points(tmp_path / "query.mat", np.ones((3, 14)))
    with pytest.raises(InputError, match=r"'pp' must be numbers \[28, images\]. Received: float64 \[14, 3\]"):
        detect(tmp_path / "query.mat", "market1501", market)
    (tmp_path / "query.mat").write_bytes(b"<html>")
    with pytest.raises(InputError, match="an HTML page"):
        detect(tmp_path / "query.mat", "market1501", market)
    write_body_points(tmp_path / "points.mat", np.ones((3, 28)))
    with pytest.raises(InputError, match="must have train or query in its name. Received: '.*points.mat'"):
        detect(tmp_path / "points.mat", "market1501", market)


@pytest.mark.real_data
def test_the_published_body_points(real_data, tmp_path):
    folder = tmp_path / "query"
    folder.mkdir()
    for index in range(3368):
        (folder / f"{index:04d}.jpg").touch()
    paths = [str(folder / f"{index:04d}.jpg") for index in range(3368)]
    landmarks = detect(real_data / "market1501-body-point" / "market1501_14point_query.mat", "market1501", paths)
    assert (landmarks[:, 1:14, 2] == 1).all()
    neck, hips, ankles = (landmarks[:, joints, 1].mean() for joints in ([1], [8, 11], [10, 13]))
    assert neck < 0.25 < hips < 0.6 < 0.8 < ankles
