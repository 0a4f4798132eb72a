import numpy as np
import pytest

from reid_tf.datasets.readers.npz import check_texts, read_npz
from reid_tf.errors import InputError


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, values=np.arange(3000), other=np.zeros(2))
    return path


def test_only_the_wanted_arrays_are_read(npz):
    arrays = read_npz(npz, ("values",))
    assert list(arrays) == ["values"]
    np.testing.assert_array_equal(arrays["values"], np.arange(3000))


def test_a_missing_array_is_named(npz):
    with pytest.raises(InputError, match=r"lacks the array 'paths'; it has: other, values"):
        read_npz(npz, ("paths",))


def test_missing_and_wrong_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"'.*none.npz' does not exist"):
        read_npz(tmp_path / "none.npz", ())
    (tmp_path / "a.npz").write_text("<html>not found</html>")
    with pytest.raises(InputError, match=r"not an .npz file, or is cut off: it begins with b'<html>not found<'"):
        read_npz(tmp_path / "a.npz", ())


def test_damaged_files_are_sentences(npz):
    contents = bytearray(npz.read_bytes())
    for length in range(10, len(contents), 211):
        npz.write_bytes(contents[:length])
        with pytest.raises(InputError, match="cut off"):
            read_npz(npz, ("values",))
    contents[200:400] = bytes(200)
    npz.write_bytes(contents)
    with pytest.raises(InputError, match=r"cannot be read as an .npz file"):
        read_npz(npz, ("values",))


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.array([{"an": "object"}], object))
    with pytest.raises(InputError, match=r"cannot be read as an .npz file: Object arrays cannot be loaded"):
        read_npz(tmp_path / "a.npz", ("values",))


@pytest.mark.parametrize("array", [np.array([["a"]]), np.array(["a"])[0], np.array([1.5]), np.array([b"a"])], ids=repr)
def test_what_lists_no_texts_is_a_sentence(array):
    with pytest.raises(InputError, match=r"'a.npz': 'paths' must be texts, one per image. Received: shape \["):
        check_texts("a.npz", "paths", np.asarray(array))
    assert check_texts("a.npz", "paths", np.array(["a", "b"])) == ["a", "b"]
    assert check_texts("a.npz", "paths", np.array([])) == []
