import dataclasses
import re
import zipfile

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings, row_blocks
from reid_tf.retrieval.fingerprint import Fingerprint
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.multi_query import pool_queries
from reid_tf.retrieval.ranking import rank


def make(paths=("a.jpg", "folder/ü b.jpg", "c.jpg")):
    return Embeddings(np.arange(12, dtype=np.float32).reshape(3, 4), np.array([5, 2, 5]), np.array([1, 2, 3]), paths)


@pytest.mark.parametrize("paths", [("a.jpg", "folder/ü b.jpg", "c.jpg"), ()])
def test_saves_and_loads(tmp_path, paths):
    file = tmp_path / "new folder" / "gallery.npz"
    original = make(paths)
    original.save(file)
    loaded = Embeddings.load(file)
    for name in ("vectors", "identities", "cameras"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(original, name))
        assert getattr(loaded, name).dtype == getattr(original, name).dtype
    assert loaded.paths == paths
    assert [path.name for path in file.parent.iterdir()] == ["gallery.npz"]


def test_converts_lists_and_other_number_types():
    embeddings = Embeddings([[1, 2], [3, 4]], [1, 2], np.array([3, 4], np.int8), ["a", "b"])
    assert len(embeddings) == 2
    assert (embeddings.vectors.dtype, embeddings.identities.dtype, embeddings.cameras.dtype) == (
        np.float32,
        np.int64,
        np.int64,
    )
    assert embeddings.paths == ("a", "b")


def test_float32_vectors_are_not_copied():
    vectors = np.ones((3, 4), np.float32)
    assert np.shares_memory(Embeddings(vectors, np.arange(3), np.arange(3)).vectors, vectors)


@pytest.mark.parametrize("rows", [np.array([True, False, True]), np.array([0, 2])])
def test_selects_rows(rows):
    selected = make().select(rows)
    np.testing.assert_array_equal(selected.vectors, make().vectors[[0, 2]])
    assert selected.identities.tolist() == [5, 5]
    assert selected.cameras.tolist() == [1, 3]
    assert selected.paths == ("a.jpg", "c.jpg")


def test_selects_rows_without_paths():
    assert make(()).select(np.array([2, 1])).identities.tolist() == [5, 2]


def test_may_be_empty():
    assert len(Embeddings(np.zeros((0, 8), np.float32), [], [])) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), [1, 2, 3], [1, 2, 3]), r"shape \[images, dimensions\]. Received: shape \(3,\)"),
        ((np.zeros((3, 0)), [1, 2, 3], [1, 2, 3]), r"Received: shape \(3, 0\)"),
        ((np.array([["a"]]), [1], [1]), "numeric vectors.*<U1"),
        ((np.zeros((3, 2)), [1, 2], [1, 2, 3]), r"as identities, shape \[3\]. Received: shape \(2,\)"),
        ((np.zeros((3, 2)), [1, 2, 3], [1.5, 2, 3]), r"whole number.*cameras.*float64"),
        ((np.zeros((3, 2)), [1, 2, 3], [1, 2, 3], ("a", "b")), "2 paths for 3 rows"),
    ],
)
def test_refuses_other_shapes(arguments, message):
    with pytest.raises(InputError, match=message):
        Embeddings(*arguments)


def test_says_which_rows_are_not_finite():
    vectors = np.zeros((20000, 2), np.float32)
    vectors[[9000, 19999], [0, 1]] = np.nan, np.inf
    with pytest.raises(InputError, match="in 2 of 20000 rows, first in row 9000"):
        Embeddings(vectors, np.zeros(20000, int), np.zeros(20000, int))


def test_values_beyond_float32_are_not_finite():
    with pytest.raises(InputError, match="in 1 of 1 rows, first in row 0"):
        Embeddings(np.array([[1e300]]), [1], [1])


ENCODER = Fingerprint("0123456789abcdef", (32, 16), flip=True, normalize=False, dim=4)


def test_the_encoder_is_kept(tmp_path, caplog):
    embeddings = dataclasses.replace(make(), encoder=ENCODER)
    embeddings.save(tmp_path / "x.npz")
    assert Embeddings.load(tmp_path / "x.npz").encoder == ENCODER
    assert embeddings.select(np.array([1])).encoder == ENCODER
    assert caplog.text == ""
    make().save(tmp_path / "x.npz")
    assert Embeddings.load(tmp_path / "x.npz").encoder is None
    assert caplog.text.count("does not say which encoder made its vectors") == 1


def test_parts_are_joined(tmp_path):
    paths = ("a", "b", "c")
    known, unknown = dataclasses.replace(make(paths), encoder=ENCODER), make(paths)
    both = Embeddings.concatenate([unknown, known.select(np.array([2, 0]))])
    assert (both.paths, both.encoder) == ((*paths, "c", "a"), ENCODER)
    np.testing.assert_array_equal(both.vectors, np.concatenate([known.vectors, known.vectors[[2, 0]]]))
    np.testing.assert_array_equal(both.identities, [5, 2, 5, 5, 5])
    assert Embeddings.concatenate([known, make(())]).paths == ()
    with pytest.raises(InputError, match=r"one number of dimensions. Received: \[\]"):
        Embeddings.concatenate([])


@pytest.mark.parametrize(
    "change", [{"weights": "f" * 16}, {"image_size": (64, 32)}, {"flip": False}, {"normalize": True}, {"dim": 5}]
)
def test_vectors_of_two_encoders_do_not_meet(change):
    one = dataclasses.replace(make(("a", "b", "c")), encoder=ENCODER)
    other = dataclasses.replace(one, encoder=dataclasses.replace(ENCODER, **change))
    (differing,) = change
    message = rf"of encoders that differ in {differing}, .*Received: \(weights 0123456789abcdef, 32 x 16 -> 4, flip\)"
    for meet in (
        lambda: rank(one, other, 1),
        lambda: evaluate(one, other),
        lambda: evaluate(one, other, protocol="cuhk03_single_shot"),
        lambda: pool_queries(one, other),
        lambda: Embeddings.concatenate([one, other]),
    ):
        with pytest.raises(InputError, match=message):
            meet()
    assert rank(one, dataclasses.replace(one, encoder=None), 1)[0].shape == (3, 1)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ("[]", "'encoder' must be an object"),
        ('{"weights": "a"}', "'encoder' lacks the field 'image_size'"),
        ("{", "is not a file of embeddings"),
    ],
)
def test_a_damaged_fingerprint_is_named(tmp_path, encoder, message):
    embeddings = make()
    arrays = {name: getattr(embeddings, name) for name in ("vectors", "identities", "cameras", "paths")}
    np.savez(tmp_path / "x.npz", encoder=np.array(encoder), **arrays)
    with pytest.raises(InputError, match=message):
        Embeddings.load(tmp_path / "x.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"no file of embeddings at '{tmp_path / 'x.npz'}'")):
        Embeddings.load(tmp_path / "x.npz")


def write_text(file):
    file.write_text("<html>Not found</html>")


def write_array(file):
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))


def write_other_archive(file):
    np.savez(file, vectors=np.zeros((3, 2)), labels=np.zeros(3))


def write_pickle(file):
    np.savez(file, vectors=np.array([{}], object), identities=[1], cameras=[1], paths=["a"])


def write_cut_off(file):
    make().save(file)
    file.write_bytes(file.read_bytes()[:-40])


def write_zip(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")


def write_nothing(file):
    file.touch()


@pytest.mark.parametrize(
    "write", [write_text, write_array, write_other_archive, write_pickle, write_cut_off, write_zip, write_nothing]
)
def test_another_file_is_refused(tmp_path, write):
    file = tmp_path / "x.npz"
    write(file)
    with pytest.raises(InputError, match=r"x\.npz' is not a file of embeddings"):
        Embeddings.load(file)


def test_row_blocks_cover_all_rows_once():
    assert [range(10)[rows] for rows in row_blocks(10, 4)] == [range(4), range(4, 8), range(8, 10)]
    assert list(row_blocks(0, 4)) == []


def test_whole_numbers_do_not_wrap_into_junk():
    vectors = np.zeros((2, 3))
    for field in ("identities", "cameras"):
        values = {"identities": [0, 0], "cameras": [0, 0], field: np.array([5, 2**64 - 1], np.uint64)}
        with pytest.raises(
            InputError, match=f"need {field} of at most 63 bits and a sign. Received: 18446744073709551615"
        ):
            Embeddings(vectors, **values)
    kept = Embeddings(vectors, np.array([5, 2**63 - 1], np.uint64), [0, 0])
    assert kept.identities.tolist() == [5, 2**63 - 1]


@pytest.mark.parametrize("flag", [1, 8, 32, 33, 64, 128, 255])
def test_an_archive_with_any_flags_is_read_or_named(flag, tmp_path):
    path = tmp_path / "a.npz"
    Embeddings(np.ones((2, 3)), [0, 1], [0, 0]).save(path)
    content = bytearray(path.read_bytes())
    content[6] = content[content.index(b"PK\x01\x02") + 8] = flag
    path.write_bytes(content)
    try:
        Embeddings.load(path)
    except InputError as error:
        assert "is not a file of embeddings" in str(error)  # noqa: PT017


def test_paths_that_are_no_texts_are_named(tmp_path):
    arrays = {"vectors": np.eye(2), "identities": [1, 2], "cameras": [1, 1]}
    for paths in (np.array([0.5, np.nan]), np.array([["a"], ["b"]])):
        np.savez(tmp_path / "a.npz", **arrays, paths=paths)
        with pytest.raises(InputError, match="a.npz': 'paths' must be texts, one per image. Received: shape"):
            Embeddings.load(tmp_path / "a.npz")
