"""Lists of images that lie here or far away, and copies of them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
import pytest

from reid_tf.datasets.record import Record
from reid_tf.encoder.fleet import places
from reid_tf.encoder.fleet.places import fetch, images_at
from reid_tf.errors import InputError


@pytest.fixture
def crops(tmp_path):
    """A folder with three files named as images, one of them in a subfolder."""
    names = ("a.jpg", "sub/b.png", "c.JPG", "notes.txt")
    for name in names:
        (tmp_path / "crops" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "crops" / name).write_bytes(name.encode())
    return tmp_path / "crops"


def test_a_url_of_a_folder_gives_the_images_of_the_folder(crops):
    found = images_at(f"file://{crops}")
    assert [record.path for record in found] == [f"file://{crops}/{name}" for name in ("a.jpg", "c.JPG", "sub/b.png")]
    assert {(record.identity, record.camera) for record in found} == {(-1, -1)}


def test_a_parquet_list_says_who_and_which_camera(tmp_path):
    pyarrow.parquet.write_table(pa.table({"path": ["s3://a/1.jpg", "b.jpg"], "camera": [3, 4]}), tmp_path / "l.parquet")
    expected = (Record("s3://a/1.jpg", -1, 3), Record("b.jpg", -1, 4))
    assert images_at(str(tmp_path / "l.parquet")) == expected
    assert images_at(f"file://{tmp_path}/l.parquet") == expected


def test_a_csv_under_a_url(tmp_path):
    (tmp_path / "l.csv").write_text("path,identity\na.jpg,7\n")
    assert images_at(f"file://{tmp_path}/l.csv") == (Record("a.jpg", 7, -1),)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"file": ["a"]}, r"needs a column 'path'. Received: .*\['file'\]"),
        ({"path": ["a"], "camera": ["door"]}, r"'camera' of .* must hold whole numbers. Received: \['door'\]"),
        ({"path": []}, "There are no images"),
    ],
)
def test_a_list_that_is_none_is_a_sentence(columns, said, tmp_path):
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "l.parquet")
    with pytest.raises(InputError, match=said):
        images_at(str(tmp_path / "l.parquet"))


@pytest.mark.parametrize("place", ["none://a/b", "file:///no/such/folder", "memory://nothing-here"])
def test_a_place_that_is_not_there_is_a_sentence(place):
    with pytest.raises(InputError, match=f"'{place}' cannot be re"):
        images_at(place)


def test_copies_of_what_is_far_and_what_cannot_be_had(crops, tmp_path):
    records = [Record(f"file://{crops}/{name}", 1, 2) for name in ("a.jpg", "none.jpg", "sub/b.png")]
    near = Record(str(crops / "c.JPG"), 3, 4)
    (tmp_path / "copies").mkdir()
    fetched = fetch([*records, near], tmp_path / "copies")
    assert list(fetched.records) == [0, 2, 3]
    assert [Path(record.path).read_text() for record in fetched.records.values()] == ["a.jpg", "sub/b.png", "c.JPG"]
    assert [record.identity for record in fetched.records.values()] == [1, 1, 3]
    assert fetched.records[3] == near
    assert list(fetched.refused) == [1]


@pytest.mark.parametrize("name", ["a b.jpg", "é.jpg", "100%.jpg", "a#1?.jpg"])
def test_names_that_urls_must_quote(name, crops, tmp_path):
    (crops / "odd").mkdir()
    (crops / "odd" / name).write_bytes(b"one")
    (record,) = images_at(f"file://{crops}/odd")
    assert not set(" é#?") & set(record.path)
    (copy,) = fetch([record], tmp_path).records.values()
    assert Path(copy.path).read_bytes() == b"one"


def test_a_hosts_options_and_root_stay_with_every_image(crops, tmp_path, monkeypatch):
    asked = []

    def root(scheme, host, options):
        asked.append((scheme, host, options))
        return pyarrow.fs.LocalFileSystem(), f"{tmp_path}/{host}"

    monkeypatch.setattr(places, "_root", root)
    found = images_at("s3://crops/sub/?endpoint_override=minio:9000")
    assert [record.path for record in found] == ["s3://crops/sub/b.png?endpoint_override=minio:9000"]
    (copy,) = fetch(found, tmp_path).records.values()
    assert Path(copy.path).read_text() == "sub/b.png"
    assert Path(copy.path).suffix == ".png"
    assert set(asked) == {("s3", "crops", "endpoint_override=minio:9000")}


def test_a_store_that_gives_nothing_stops_the_work(crops, tmp_path, monkeypatch):
    class Store:
        def open_input_file(self, path):
            raise PermissionError("the token has expired")

    monkeypatch.setattr(places, "_root", lambda *place: (Store(), "/"))
    with pytest.raises(InputError, match="None of 2 images under URLs can be had: the token has expired"):
        fetch([Record("s3://a/1.jpg", 1, 2), Record("s3://a/2.jpg", 1, 2)], tmp_path)
    monkeypatch.undo()
    gone = fetch([Record(f"file://{crops}/none.jpg", 1, 2)], tmp_path)
    assert (gone.records, list(gone.refused)) == ({}, [0])


def test_an_object_store_of_fsspecs(tmp_path):
    import fsspec

    fsspec.filesystem("memory").pipe("/bucket/x/1.jpg", b"one")
    (record,) = images_at("memory://bucket/x")
    (copy,) = fetch([record], tmp_path).records.values()
    assert Path(copy.path).read_bytes() == b"one"
