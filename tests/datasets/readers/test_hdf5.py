import h5py
import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.readers.hdf5 import open_hdf5_mat
from reid_tf.errors import InputError


@pytest.fixture
def mat(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file["values"] = np.arange(12.0).reshape(2, 3, 2)
        file["#refs#/a"], file["#refs#/b"] = np.ones((1, 2)), np.array([0, 7], np.uint64)
        file["#refs#/b"].attrs["MATLAB_empty"] = np.uint8(1)
        cells = file.create_dataset("cells", (1, 2), h5py.ref_dtype)
        cells[0, 0], cells[0, 1] = file["#refs#/a"].ref, file["#refs#/b"].ref
        file["struct/field"] = np.ones(2)
    return path


def test_axes_are_matlabs(mat):
    with open_hdf5_mat(mat, ("values",)) as opened:
        values = opened.read("values")
    assert values.shape == (2, 3, 2)
    np.testing.assert_array_equal(values, np.arange(12).reshape(2, 3, 2).T)


def test_cells_are_read_one_by_one(mat):
    with open_hdf5_mat(mat, ()) as opened:
        cells = opened.cells("cells")
        assert cells.shape == (2, 1)
        assert opened.read(cells[0, 0]).shape == (2, 1)
        assert opened.read(cells[1, 0]).shape == (0, 7)
        with pytest.raises(InputError, match=r"'values' must be a cell array. Received: float64 \[2, 3, 2\]"):
            opened.cells("values")
        with pytest.raises(InputError, match="'struct' must be an array. Received: a struct of field"):
            opened.read("struct")


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is not a MATLAB 7.3 file but an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is not a MATLAB 7.3 file but a Git LFS pointer"),
        (b"PK\x03\x04" + bytes(200), "a zip archive"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(600), "it is cut off or damaged"),
        (b"", "begins with b''"),
        (b"\x89PNG" + bytes(range(256)) * 2, "begins with b'.x89PNG"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, contents, message):
    (tmp_path / "a.mat").write_bytes(contents)
    with pytest.raises(InputError, match=message), open_hdf5_mat(tmp_path / "a.mat", ()):
        pass


def test_older_formats_are_named(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"values": np.ones(3)})
    message = r"is not a MATLAB 7.3 file but one of the formats 5 to 7.2: save it again with '-v7.3'"
    with pytest.raises(InputError, match=message), open_hdf5_mat(tmp_path / "a.mat", ("values",)):
        pass


def test_a_file_cut_off_anywhere_is_a_sentence(mat):
    contents = mat.read_bytes()
    for length in range(1, len(contents), 97):
        mat.write_bytes(contents[:length])
        with pytest.raises(InputError, match=r"cut off|begins with"), open_hdf5_mat(mat, ("values",)):
            pass


def test_a_damaged_file_is_a_sentence(mat):
    contents = mat.read_bytes()
    generator = np.random.default_rng(0)
    failures = 0
    for _ in range(60):
        damaged = bytearray(contents)
        begin = int(generator.integers(96, len(contents) - 64))
        damaged[begin : begin + 64] = generator.bytes(64)
        mat.write_bytes(damaged)
        try:
            with open_hdf5_mat(mat, ("values", "cells")) as opened:
                opened.read("values")
                for cell in opened.cells("cells").ravel():
                    opened.read(cell)
        except InputError:
            failures += 1
    assert failures


def test_missing_files_and_variables_are_named(mat, tmp_path):
    with pytest.raises(InputError, match=r"'.*none.mat' does not exist"), open_hdf5_mat(tmp_path / "none.mat", ()):
        pass
    message = r"lacks the variable 'labels': found cells, struct, values"
    with pytest.raises(InputError, match=message), open_hdf5_mat(mat, ("values", "labels")):
        pass


@pytest.mark.real_data
def test_a_real_file(real_data):
    path = real_data / "market1501-body-point" / "market1501_14point_train.mat"
    with open_hdf5_mat(path, ("pp",)) as opened:
        assert opened.read("pp").shape == (28, 12936)
