import logging
import os
import re

import pytest

from reid_tf.datasets.readers.folders import contents, existing_root, file_names, find_root, image_names, read_folder
from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.errors import InputError

NAME = re.compile(r"(?P<identity>-1|\d+)_c(?P<camera>\d+)\.jpg")


def test_images_are_read_in_the_order_of_their_names(tmp_path, write_images):
    write_images(tmp_path, ["10_c2.jpg", "2_c1.jpg", "-1_c3.jpg", "002_c4.jpg"])
    records = read_folder(tmp_path, NAME, "1_c1.jpg")
    assert [(record.identity, record.camera) for record in records] == [(2, 4), (10, 2), (2, 1)]
    assert records[0].path == str(tmp_path / "002_c4.jpg")


def test_only_images_count(tmp_path, write_images):
    write_images(tmp_path, ["b.PNG".lower(), "a.jpg", ".hidden.jpg"])
    (tmp_path / "c.JPEG").write_bytes(b"")
    (tmp_path / "readme.txt").write_text("no image")
    assert image_names(tmp_path) == ["a.jpg", "b.png", "c.JPEG"]


def test_every_type_that_is_decoded_is_listed(tmp_path):
    for suffix in IMAGE_SUFFIXES:
        (tmp_path / f"a{suffix.upper()}").touch()
        (tmp_path / f"a{suffix}").touch()
    assert len(image_names(tmp_path)) == 2 * len(IMAGE_SUFFIXES)


def test_what_is_passed_over_is_counted_by_kind(tmp_path, write_images, caplog):
    write_images(tmp_path, ["a.jpg", "sub/b.jpg"])
    left_over = ("Thumbs.db", "desktop.ini", ".DS_Store", "._a.jpg", "__MACOSX/._a.jpg", "@eaDir/a.jpg", ".git/a.jpg")
    for name in (*left_over, "landmarks.npz", "crops.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert image_names(tmp_path, subfolders=True) == ["a.jpg", "sub/b.jpg"]
    assert not caplog.records
    for name in ("notes.txt", "sub/more.TXT", "c.heic", "README"):
        (tmp_path / name).touch()
    assert image_names(tmp_path, subfolders=True) == ["a.jpg", "sub/b.jpg"]
    assert image_names(tmp_path) == ["a.jpg"]
    first, second = (record.getMessage() for record in caplog.records)
    assert first == f"Passed over in {tmp_path}, as no images: 1 .heic, 2 .txt, 1 without a suffix."
    assert second == f"Passed over in {tmp_path}, as no images: 1 .heic, 1 .txt, 1 folder, 1 without a suffix."
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_links_are_followed_and_every_folder_is_read_once(tmp_path, write_images):
    write_images(tmp_path, ["here/z/a.jpg", "elsewhere/b.jpg"])
    here = tmp_path / "here"
    (here / "link").symlink_to(tmp_path / "elsewhere")
    (here / "again").symlink_to(here / "z")  # its own name goes before a link's
    (here / "z" / "up").symlink_to(here)
    (tmp_path / "elsewhere" / "round").symlink_to(here / "link")
    (here / "c.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    assert image_names(here, subfolders=True) == ["c.jpg", "link/b.jpg", "z/a.jpg"]
    (here / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")  # an image that cannot be read will be named
    assert file_names(here)[1] == "gone.jpg"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(InputError, match=r"The folder '.*locked.' cannot be read: Permission denied"):
        image_names(tmp_path, subfolders=True)


def test_an_image_that_is_named_otherwise_is_not_left_out_silently(tmp_path, write_images):
    write_images(tmp_path, ["1_c1.jpg", *(f"IMG_{index}.jpg" for index in range(5))])
    with pytest.raises(
        InputError, match=r"must be named like '1_c1.jpg'. Received: IMG_0.jpg, .*, IMG_2.jpg and 2 more"
    ):
        read_folder(tmp_path, NAME, "1_c1.jpg")


def test_wrong_roots_are_sentences(tmp_path):
    with pytest.raises(InputError, match=r"'market1501' needs the folder that holds it: --data ROOT. Received: None"):
        existing_root(None, "market1501")
    with pytest.raises(InputError, match=r"The folder '.*nowhere' for the data set 'market1501' does not exist"):
        existing_root(str(tmp_path / "nowhere"), "market1501")
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"'.*a.zip' is a file \(an archive must be unpacked\)"):
        existing_root(str(tmp_path / "a.zip"), "market1501")


def test_the_root_may_be_one_folder_further_in(tmp_path):
    (tmp_path / "published" / "query").mkdir(parents=True)
    assert find_root(tmp_path, "made", ["query"], ["published"]) == tmp_path / "published"
    (tmp_path / "query").mkdir()
    assert find_root(tmp_path, "made", ["query"], ["published"]) == tmp_path


def test_a_wrong_folder_is_described(tmp_path):
    (tmp_path / "query").mkdir()
    (tmp_path / "a.txt").write_text("")
    message = (
        r"'made' needs query, gallery; looked in '.*' and '.*published'; missing: gallery; found in '.*': a.txt, "
        r"query/ \(a hint\)\."
    )
    with pytest.raises(InputError, match=message):
        find_root(tmp_path, "made", ["query", "gallery"], ["published"], " (a hint)")


def test_contents_are_shortened(tmp_path):
    assert contents(tmp_path) == "nothing"
    for index in range(5):
        (tmp_path / f"{index}").mkdir()
    assert contents(tmp_path, limit=3) == "0/, 1/, 2/ and 2 more"
