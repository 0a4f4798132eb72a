import json
import shutil
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.readers.hdf5 import open_hdf5_mat, refuse_other_files
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


def secret(folder):
    path = folder / "secret.h5"
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.ones((3, 2))
    return path


def external_link(file, folder):
    file["elsewhere"] = h5py.ExternalLink(secret(folder), "layers/dense/vars/0")


def external_storage(file, folder):
    file.create_dataset("layers/stored", (4,), "u1", external=[(folder / "secret.h5", 0, 4)])


def virtual(file, folder):
    layout = h5py.VirtualLayout((3, 2), "f8")
    layout[:] = h5py.VirtualSource(secret(folder), "layers/dense/vars/0", (3, 2))
    file.create_virtual_dataset("layers/deep/inside", layout)


def soft_link(file, folder):
    external_link(file, folder)
    file["a/b"] = h5py.SoftLink("/elsewhere")


ELSEWHERE = [external_link, external_storage, virtual, soft_link]


@pytest.mark.parametrize("wrap", ["weights", "archive", "compressed archive", "both at once"])
@pytest.mark.parametrize("make", ELSEWHERE)
def test_weights_and_models_that_name_other_files_are_refused(make, wrap, tmp_path):
    path = tmp_path / "model.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers/own"] = np.ones(3)
        file["layers/again"] = file["layers"]  # a circle
    refuse_other_files(path)
    with h5py.File(path, "a") as file:
        make(file, tmp_path)
    if "archive" in wrap:
        kind = zipfile.ZIP_DEFLATED if "compressed" in wrap else zipfile.ZIP_STORED
        with zipfile.ZipFile(tmp_path / "model.keras", "w", kind) as archive:
            archive.write(path, path.name)
        path = tmp_path / "model.keras"
    elif wrap == "both at once":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("a.txt", "")
    with pytest.raises(InputError, match=rf"'.*{path.name}' must hold its data itself, and names another file"):
        refuse_other_files(path)


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(99)])
def test_what_is_no_hdf5_file_passes_to_its_reader(content, tmp_path):
    (tmp_path / "a.h5").write_bytes(content)
    refuse_other_files(tmp_path / "a.h5")
    refuse_other_files(tmp_path / "none.h5")


@pytest.mark.parametrize("make", ELSEWHERE)
def test_a_mat_file_that_names_other_files_is_refused(make, tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
        found = list(file)
    with pytest.raises(InputError, match=r"'.*a.mat' must hold its data itself"), open_hdf5_mat(path, ()) as mat:
        for name in found:
            mat.read("layers/stored" if make is external_storage else "layers/deep/inside" if make is virtual else name)


def test_arrays_that_claim_more_than_is_stored_are_damaged(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("much", (10**6, 10**6), "f8", chunks=(100, 100), compression="gzip")
        file["empty"] = np.array([10**6, 10**6])
        file["empty"].attrs["MATLAB_empty"] = np.uint8(1)
    with open_hdf5_mat(path, ()) as mat:
        for name, message in (("much", "bytes are claimed, and 0 stored"), ("empty", "an empty array has the lengths")):
            with pytest.raises(InputError, match=f"damaged at '{name}' .*{message}"):
                mat.read(name)


@pytest.mark.parametrize(
    "door", ["model", "encoder", "verifier", "detector", "initial weights", "backbone", "checkpoint"]
)
def test_every_door_for_weights_and_models_refuses_such_a_file(door, tmp_path):
    import keras

    from reid_tf.backbones.weights.load import load_weights
    from reid_tf.encoder.load import load_encoder
    from reid_tf.encoder.verifier import load_verifier
    from reid_tf.pose.cpm import cpm
    from reid_tf.training import callbacks, experiment, saved
    from reid_tf.training.run_directory import RunDirectory

    weights = tmp_path / "a.weights.h5"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)], name="tiny")
    model.save_weights(weights)
    with h5py.File(weights, "a") as file:
        external_link(file, tmp_path)
    for name in ("model.keras", "encoder.keras", "verifier.keras"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(weights, "model.weights.h5")
    run = RunDirectory(tmp_path / "run")
    run.make()
    shutil.copy(weights, run.checkpoints)
    described = {"inputs": {"image": "image"}, "image_size": [32, 16], "distance": "cosine", "flip": False, "dim": 3}
    manifest = {"encoder": {**described, "attributes": None, "normalize": True}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    doors = {
        "model": lambda: saved.load_model(tmp_path / "model.keras"),
        "encoder": lambda: load_encoder(tmp_path),
        "verifier": lambda: load_verifier(tmp_path),
        "detector": lambda: cpm(run=str(tmp_path / "model.keras")),
        "initial weights": lambda: experiment._load_initial_weights(model, str(weights)),
        "backbone": lambda: load_weights(model, str(weights)),
        "checkpoint": lambda: callbacks.Checkpoints(run, "val_mAP")._load(model, weights.name),
    }
    with pytest.raises(InputError, match="must hold its data itself, and names another file or place at 'elsewhere'"):
        doors[door]()
