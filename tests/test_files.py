import errno
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest

from reid_tf import files
from reid_tf.backbones.weights.download import cache_folder
from reid_tf.backbones.weights.state_dict import read_state_dict
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from reid_tf.files import (
    WeightsInMemory,
    check_output,
    claimed,
    folder_written_beside,
    remove_leftovers,
    write_csv,
    write_json,
    written_beside,
)

HOLD = """
import sys, time
from pathlib import Path
from reid_tf.files import claimed, folder_written_beside
with claimed(sys.argv[1], folder=True), folder_written_beside(sys.argv[1]) as beside:
    (beside / "half").write_text("half")
    print("holds it", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has claimed the folder `a` and writes it."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "a"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "holds it\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def names(folder):
    return sorted(item.name for item in folder.iterdir())


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_beside(path) as beside:
        beside.write_text("half")
        raise RuntimeError("interrupted")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"mAP": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_folder_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "a" / "b"
    with folder_written_beside(final) as temporary:
        (temporary / "x").write_text("x")
        assert not final.exists()
    assert (final / "x").read_text() == "x"
    assert names(final.parent) == ["b"]


def test_nothing_stays_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder_written_beside(tmp_path / "b") as temporary:
        (temporary / "x").write_text("x")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_folders_that_were_made_for_nothing_go_again(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="no"), claimed(tmp_path / "there" / "a" / "b" / "c", folder=True):
        raise InputError("no")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
    assert not list((tmp_path / "there").iterdir())
    with claimed(tmp_path / "there" / "a" / "b" / "c", folder=True):
        (tmp_path / "there" / "a" / "b" / "c").mkdir()
    assert (tmp_path / "there" / "a" / "b" / "c").is_dir()


def test_a_folder_with_something_in_it_is_kept(tmp_path):
    final = tmp_path / "b"
    final.mkdir()
    (final / "old").write_text("old")
    with pytest.raises(InputError, match=r"b' must be a new folder or an empty one"), folder_written_beside(final):
        pass
    assert names(final) == ["old"]
    assert names(tmp_path) == ["b"]


def test_the_folder_can_be_read_by_others(tmp_path):
    with folder_written_beside(tmp_path / "b"):
        pass
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_the_second_writer_is_told_who_the_first_one_is(tmp_path, holder):
    begun = time.monotonic()
    with pytest.raises(InputError, match=rf"a' is being written by process {holder.pid} on \S+: wait"):
        claimed(tmp_path / "a", folder=True).__enter__()
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match=f"process {holder.pid}"), folder_written_beside(link / "a"):
        pass
    assert time.monotonic() - begun < 30


def test_a_dead_writer_is_no_obstacle_and_what_it_left_is_removed(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert len(names(tmp_path)) == 2, "its claim, and what it was writing"
    with folder_written_beside(tmp_path / "a") as beside:
        (beside / "whole").write_text("whole")
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["whole"]


def test_who_writes_the_same_waits(tmp_path):
    order = []

    def write(name):
        with claimed(tmp_path / "a", wait=True):
            order.append(f"{name} begins")
            time.sleep(0.05)
            order.append(f"{name} ends")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 8
    assert all(first.split()[0] == second.split()[0] for first, second in zip(order[::2], order[1::2], strict=True))
    assert not names(tmp_path)


def test_one_thread_may_claim_a_name_twice_and_another_may_not(tmp_path):
    refused = []

    def claim():
        with pytest.raises(InputError, match=f"process {os.getpid()}"), claimed(tmp_path / "a"):
            pass
        refused.append(True)

    with claimed(tmp_path / "a"), claimed(tmp_path / "a"):
        thread = threading.Thread(target=claim)
        thread.start()
        thread.join()
    assert refused == [True]
    with claimed(tmp_path / "a"):
        pass


def test_no_folder_is_left_where_nothing_was_written(tmp_path):
    with pytest.raises(ValueError, match="wrong"), claimed(tmp_path / "a" / "b" / "c"):
        raise ValueError("wrong")
    assert not names(tmp_path)


def test_only_the_own_leftovers_of_a_name_are_removed(tmp_path):
    for name in (".writing-01234567-a.csv", ".writing-01234567-b.csv", ".claim-a.csv"):
        (tmp_path / name).write_text("")
    write_csv(tmp_path / "a.csv", [{"x": 1}])
    assert names(tmp_path) == [".writing-01234567-b.csv", "a.csv"]
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / ".claim-d").write_text("")
    remove_leftovers(tmp_path)
    assert (names(tmp_path), names(tmp_path / "c")) == (["a.csv", "c"], [])


def test_without_locks_a_warning_says_so(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    for _ in range(2):
        write_csv(tmp_path / "a.csv", [{"x": 1}])
    assert caplog.text.count("has no locks") == 1
    assert names(tmp_path) == ["a.csv"]
    monkeypatch.setattr(files, "fcntl", None)
    write_csv(tmp_path / "a.csv", [{"x": 2}])
    assert (tmp_path / "a.csv").read_text() == "x\n2\n"


@pytest.mark.parametrize(
    ("name", "folder", "sentence"),
    [
        ("", False, "file to write needs a name, .* Received: ''"),
        ("  ", True, "folder to write needs a name"),
        ("a\0b", False, "without a zero byte"),
        ("{here}/folder", False, r"folder' is to be a file. Received: a folder that exists"),
        ("{here}/file", True, r"file' is to be a folder. Received: a file that exists"),
        ("{here}/file/a.npz", False, r"a.npz' cannot be written: '.*file' above it is a file"),
        ("{here}/file/new/a", True, r"a' cannot be written: '.*file' above it is a file"),
        ("{here}/" + 238 * "a", False, "cannot be written: a name has at most 237 bytes"),
        ("{here}/" + 300 * "a" + "/b", False, "cannot be written: File name too long"),
        ("{here}/protected/a.npz", False, r"a.npz' cannot be written: the folder '.*protected' is read-only"),
        ("{here}/protected/new/a", True, "is read-only"),
        ("/proc/a.npz", False, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(tmp_path, name, folder, sentence):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "protected").mkdir(mode=0o555)
    before = names(tmp_path)
    name = name.format(here=tmp_path)
    with pytest.raises(InputError, match=sentence), claimed(name, folder=folder):
        raise AssertionError("the work was begun")
    assert names(tmp_path) == before


def test_what_can_be_written_passes(tmp_path):
    assert check_output(tmp_path / "new" / "a.npz") == tmp_path / "new" / "a.npz"
    assert check_output(str(tmp_path), folder=True) == tmp_path
    write_csv(tmp_path / (233 * "a" + ".csv"), [{"x": 1}])


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("UNKNOWN: a.index; No space left on device")],
)
def test_a_full_disk_is_a_sentence_whoever_meets_it(tmp_path, error):
    full = pytest.raises(InputError, match=r"b' cannot be written: No space left on device")
    with full, folder_written_beside(tmp_path / "b") as beside:
        (beside / "a").write_text("a")
        raise error
    assert not names(tmp_path)


def test_weights_in_memory_are_the_file_that_keras_writes_and_a_full_disk_keeps_the_old_one(tmp_path):
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(500)])
    old = tmp_path / "a.weights.h5"
    WeightsInMemory(model).write_to(old)
    before, first = old.read_bytes(), model.get_weights()
    model.set_weights([array + 1 for array in first])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # as a disk that fills up while the file is written
    try:
        with pytest.raises(InputError, match=r"a.weights.h5' cannot be written: File too large"):
            WeightsInMemory(model).write_to(old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert old.read_bytes() == before
    assert names(tmp_path) == ["a.weights.h5"]
    model.load_weights(old)
    for array, loaded in zip(first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(array, loaded)


def test_without_a_home_folder_a_sentence_names_the_variable(monkeypatch):
    def nobody(_):
        raise KeyError("getpwuid(): uid not found: 12345")

    for variable in ("HOME", "REID_TF_CACHE", "KERAS_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(InputError, match=r"'~/.cache/reid_tf' needs a home folder, .* variable REID_TF_CACHE"):
        load_dataset("synthetic")
    with pytest.raises(InputError, match=r"'~/.keras' needs a home folder, .* variable KERAS_HOME"):
        cache_folder()
    with pytest.raises(InputError, match=r"'~/a.pth' needs a home folder, .*: give the whole path"):
        read_state_dict("~/a.pth")
