import os

import numpy as np
import pytest

from reid_tf.datasets.image_list import image_ids, list_images
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.readers.pixels import load_images
from reid_tf.errors import InputError
from tests.datasets.made_datasets import encoded_image
from tests.datasets.made_files import file_of, picture


def test_a_folder_gives_its_images_sorted(tmp_path, write_images):
    write_images(tmp_path, ("b.png", "a.jpg", "c/0.bmp"))
    for name in ("B.JPG", ".hidden.jpg", "notes.txt", ".thumbnails/a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded_image(1))
    records = list_images(tmp_path)
    assert [os.path.relpath(record.path, tmp_path) for record in records] == ["B.JPG", "a.jpg", "b.png", "c/0.bmp"]
    assert {(record.identity, record.camera) for record in records} == {(-1, -1)}


def test_all_types_and_linked_folders_are_listed_and_read(tmp_path, caplog):
    images = tmp_path / "images"
    images.mkdir()
    kinds = {"a.jpg": "jpeg", "b.JPEG": "jpeg", "c.webp": "webp", "d.tif": "tiff", "e.gif": "gif", "f.jfif": "jpeg"}
    for name, kind in kinds.items():
        (images / name).write_bytes(file_of(picture(), kind))
    (images / "notes.txt").write_text("no image")
    (images / "Thumbs.db").write_bytes(b"")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "g.png").write_bytes(file_of(picture(), "png"))
    (images / "sub").symlink_to(tmp_path / "linked")
    records = list_images(images)
    assert [os.path.relpath(record.path, images) for record in records] == [*kinds, "sub/g.png"]
    assert caplog.messages == [f"Passed over in {images}, as no images: 1 .txt."]
    assert load_images([record.path for record in records], (8, 4)).shape == (7, 8, 4, 3)


def test_a_csv_gives_the_images_of_all_splits(tmp_path):
    lines = ["path,identity,camera,split", "g.jpg,7,2,gallery", "t.jpg,1,1,train", "q.jpg,7,1,query"]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    records = list_images(str(tmp_path / "list.csv"))
    assert [(os.path.basename(record.path), record.identity) for record in records] == [
        ("t.jpg", 1),
        ("q.jpg", 7),
        ("g.jpg", 7),
    ]


def test_a_folder_may_hold_landmarks(tmp_path, write_images, caplog):
    write_images(tmp_path, ("a.jpg", "b/c.jpg"))
    points = np.random.default_rng(0).random((18, 3), np.float32)
    write_landmarks(tmp_path / "landmarks.npz", {"b/c.jpg": points})
    first, second = list_images(tmp_path)
    assert first.landmarks is None
    np.testing.assert_array_equal(second.landmarks, points)
    write_landmarks(tmp_path / "landmarks.npz", {"d.jpg": points})
    assert all(record.landmarks is None for record in list_images(tmp_path))
    assert "has landmarks of none of the images" in caplog.text
    assert "first path is 'd.jpg'" in caplog.text


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(InputError, match="must be a folder or a CSV file. Received: '.*/no', which does not exist"):
        list_images(tmp_path / "no")
    (tmp_path / "notes.txt").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"There are no images \(\.jpg, .*\) in '.*/folder'"):
        list_images(tmp_path / "folder")


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        ([], []),
        (["crops/b.jpg"], ["b.jpg"]),
        (["crops/b.jpg", "crops/a.jpg"], ["b.jpg", "a.jpg"]),
        (["crops/a.jpg", "crops/x/a.jpg", "crops/x/y/b.jpg"], ["a.jpg", "x/a.jpg", "x/y/b.jpg"]),
        (["crops/x/a.jpg", "crops/y/a.jpg"], ["x/a.jpg", "y/a.jpg"]),
        (["crops/../crops/a.jpg", os.path.abspath("crops/b.jpg")], ["a.jpg", "b.jpg"]),
    ],
)
def test_names_are_told_apart(paths, ids):
    assert image_ids(paths) == ids
