"""State dicts from files: what is accepted around them, and that nothing in a file is ever run."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from reid_tf.backbones.weights.state_dict import read_state_dict
from reid_tf.errors import InputError
from tests.backbones.weights.made_torch_files import write_state_dict

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is absent: pip install torch")


def test_safetensors_are_read_without_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    save_file({"a.weight": WEIGHT.astype(np.float16), "steps": np.array(7)}, tmp_path / "a.safetensors")
    state = read_state_dict(tmp_path / "a.safetensors")
    assert state.unwrapped == ()
    np.testing.assert_array_equal(state.tensors["a.weight"], WEIGHT)
    assert {name: tensor.dtype for name, tensor in state.tensors.items()} == {"a.weight": np.float32, "steps": np.int64}


def test_bfloat16_safetensors(tmp_path, torch):
    from safetensors.torch import save_file as save_torch_file

    save_torch_file({"a": torch.tensor(WEIGHT, dtype=torch.bfloat16)}, tmp_path / "a.safetensors")
    np.testing.assert_array_equal(read_state_dict(tmp_path / "a.safetensors").tensors["a"], WEIGHT)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "model.pth.tar-60"])
@pytest.mark.parametrize("zipped", [True, False])  # PyTorch's files of before 2020 are no archives
def test_checkpoint_of_a_parallel_training(tmp_path, torch, name, zipped):
    tensors = {"module.weight": torch.tensor(WEIGHT), "module.steps": torch.tensor(7)}
    checkpoint = {"state_dict": tensors, "epoch": 60, "rank1": np.float32(0.9), "mAP": np.mean([0.5, 0.7])}
    torch.save(checkpoint, tmp_path / name, _use_new_zipfile_serialization=zipped)
    state = read_state_dict(tmp_path / name)
    assert state.unwrapped == ("found under the key 'state_dict'", "the names without their prefix 'module.'")
    assert set(state.tensors) == {"weight", "steps"}
    np.testing.assert_array_equal(state.tensors["weight"], WEIGHT)


@pytest.mark.parametrize("old", [True, False])
def test_pytorchs_files_are_read_without_it(tmp_path, monkeypatch, old):
    monkeypatch.setitem(sys.modules, "torch", None)
    write_state_dict(tmp_path / "a.pth", {"weight": WEIGHT.astype(np.float16), "steps": np.array(7)}, old=old)
    state = read_state_dict(tmp_path / "a.pth")
    assert {name: tensor.dtype for name, tensor in state.tensors.items()} == {"weight": np.float32, "steps": np.int64}
    np.testing.assert_array_equal(state.tensors["weight"], WEIGHT)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_code_in_a_file_does_not_run(tmp_path, torch):
    ran = tmp_path / "ran"
    tensors = {"weight": torch.tensor(WEIGHT), "trap": Trap(ran)}
    torch.save(tensors, tmp_path / "a.pth")
    torch.save(tensors, tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "c.pth").write_bytes(pickle.dumps(tensors["trap"], protocol=2))
    for name in ("a.pth", "b.pth", "c.pth"):
        message = rf"{name}' holds more than weights: it names '\w+\.open', which is neither.*and is not run; save the"
        with pytest.raises(InputError, match=message):
            read_state_dict(tmp_path / name)
        assert not ran.exists()
    torch.load(tmp_path / "a.pth", weights_only=False)["trap"].close()
    assert ran.exists()  # the trap is one


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"a": 1}, "epoch": 3}, r"a\.pth' holds no tensors; its keys are: 'model', 'epoch'"),
        ({"state_dict": {}}, r"a\.pth' holds no tensors; its keys are: none"),
        ([1, 2], r"a\.pth' holds an object of type 'list', not a state dict"),
    ],
)
def test_file_without_tensors_is_named(tmp_path, torch, content, message):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match=message):
        read_state_dict(tmp_path / "a.pth")


@pytest.mark.parametrize("kept", [0, 10, 60, -1])
def test_truncated_file_is_named(tmp_path, torch, kept):
    save_file({"a": WEIGHT}, tmp_path / "a.safetensors")
    torch.save({"a": torch.tensor(WEIGHT)}, tmp_path / "a.pth")
    torch.save({"a": torch.tensor(WEIGHT)}, tmp_path / "b.pth", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.iterdir()):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(InputError, match=rf"{path.name}' is damaged or not"):
            read_state_dict(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.pth", r"no weights file '.*none\.pth'"),
        ("a.onnx", r"\.safetensors, \.pth, \.pt or \.caffemodel .*a\.onnx"),
    ],
)
def test_missing_file_and_other_formats_are_named(tmp_path, name, message):
    (tmp_path / "a.onnx").touch()
    with pytest.raises(InputError, match=message):
        read_state_dict(tmp_path / name)
