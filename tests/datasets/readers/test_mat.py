import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.readers.mat import read_mat, strings
from reid_tf.errors import InputError


@pytest.fixture
def mat(tmp_path):
    path = tmp_path / "a.mat"
    names = np.array([["a.png", "b.png"]], object)
    scipy.io.savemat(path, {"values": np.arange(2000), "names": names}, do_compression=True)
    return path


def test_variables_are_read(mat):
    contents = read_mat(mat, ("values", "names"))
    assert contents["values"].ravel().tolist() == list(range(2000))
    assert strings(contents["names"]) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
            "is not a MATLAB file that can be read but an HTML page",
        ),
        (b"<html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(200), "a zip archive"),
        (b"\x1f\x8b" + bytes(200), "a gzip archive"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600), "a MATLAB 7.3 file"),
        (b"", "begins with b''"),
        (b"\x89PNG" + bytes(range(256)) * 2, "begins with b'.x89PNG"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, contents, message):
    (tmp_path / "a.mat").write_bytes(contents)
    with pytest.raises(InputError, match=message):
        read_mat(tmp_path / "a.mat", ("values",))


def test_a_file_cut_off_anywhere_is_a_sentence(mat):
    contents = mat.read_bytes()
    for length in (*range(1, 160, 7), *range(160, len(contents), 97)):
        mat.write_bytes(contents[:length])
        with pytest.raises(InputError, match=r"cut off|lacks the variable|begins with"):
            read_mat(mat, ("values", "names"))


def test_missing_files_and_variables_are_named(mat, tmp_path):
    with pytest.raises(InputError, match=r"'.*none.mat' does not exist"):
        read_mat(tmp_path / "none.mat", ())
    with pytest.raises(InputError, match=r"lacks the variable 'labels': found names, values"):
        read_mat(mat, ("values", "labels"))
