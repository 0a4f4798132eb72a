"""The reader of `.mat` files against SciPy's, on sound files and on damaged ones, which end the process there."""

import struct
import zlib

import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.readers.mat5 import mat5_names, read_mat5

DAMAGED = (ValueError, LookupError, struct.error, zlib.error)


def variables():
    rng = np.random.default_rng(0)
    numbers = {f"n_{kind}": (rng.random((3, 2)) * 100).astype(kind) for kind in ("u1", "i2", "i4", "u8", "f4", "f8")}
    cells = np.empty((2, 2), object)
    cells[0, 0], cells[0, 1], cells[1, 0], cells[1, 1] = "text", np.arange(3), np.empty((0, 0)), cells[:0].copy()
    fields = {"first": np.arange(5), "second": {"inner": "ü", "other": cells}, "empty": np.empty((0, 0))}
    several = np.zeros((1, 3), [("a", object), ("b", object)])
    for index in range(3):
        several[0, index] = (np.full((1, index + 1), index), f"row {index}")
    texts = {"word": "abc", "rows": np.array(["ab", "cd"]), "nothing": ""}
    return {**numbers, "cube": rng.random((2, 3, 4)), "truth": np.array([[True, False]]), **texts} | {
        "cells": cells,
        "fields": fields,
        "several": several,
    }


def assert_same(ours, theirs):
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    for mine, other in zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True):
        parts = zip(mine, other, strict=True) if isinstance(mine, tuple) else [(mine, other)]
        for part, same in parts:
            assert_same(part, same) if isinstance(part, np.ndarray) else np.testing.assert_equal(part, same)


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def content(request, tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", variables(), do_compression=request.param)
    return (tmp_path / "a.mat").read_bytes()


def test_everything_is_read_as_scipy_reads_it(content, tmp_path):
    theirs = scipy.io.loadmat(tmp_path / "a.mat", appendmat=False)
    names = list(variables())
    assert mat5_names(content) == names
    ours = read_mat5(content, names)
    assert list(ours) == names
    for name in names:
        assert_same(ours[name], theirs[name])
    assert list(read_mat5(content, ("word", "none"))) == ["word"]


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    others = {"complex": np.array([1j]), "sparse": scipy.sparse.csc_matrix(np.eye(2))}
    scipy.io.savemat(tmp_path / "a.mat", {**others, "sound": 1})
    content = (tmp_path / "a.mat").read_bytes()
    assert read_mat5(content, ("sound",))["sound"] == 1  # the others are passed over
    for name in others:
        with pytest.raises(ValueError, match="not real numbers"):
            read_mat5(content, (name,))


def test_a_compressed_variable_is_as_long_as_it_says():
    for claimed, message in ((2**32 - 8, "compressed element of type 14 has"), (4096, "and 0 are there")):
        element = zlib.compress(struct.pack("<II", 14, claimed))
        content = bytes(126) + b"IM" + struct.pack("<II", 15, len(element)) + element
        with pytest.raises(ValueError, match=message):
            read_mat5(content, ()) if claimed > 2**31 else list(read_mat5(content, ("",)))


def test_damaged_files_are_errors(content):
    """Three thousand files, in each a few bytes changed or the end cut off."""
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(content)
        for at in rng.integers(128, len(content), rng.integers(1, 4)):
            damaged[at] = rng.choice([0, 1, 14, 255, rng.integers(0, 256)])
        if rng.random() < 0.1:
            damaged = damaged[: rng.integers(0, len(damaged))]
        try:
            read_mat5(bytes(damaged), list(variables()))
        except DAMAGED:
            refused += 1
    assert refused > 300
