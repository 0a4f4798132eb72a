"""The doors hold for a few cases, and each kind of fault is found where a door misbehaves."""

import argparse
import contextlib
import os
import time

import numpy as np
import pytest

from reid_tf.commands.benchmarks import fuzz, fuzz_doors, fuzz_mutations
from reid_tf.commands.benchmarks.fuzz import attempt, case, run
from reid_tf.commands.benchmarks.fuzz_doors import FaultError, check_sound
from reid_tf.datasets.readers.image_file import read_header
from reid_tf.errors import InputError


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shown(tmp_path):
    with (tmp_path / "shown").open("w") as file:
        yield file


@pytest.fixture
def images(tmp_path):
    return fuzz_doors.Images(tmp_path)


class Door:
    """One that does what it is told."""

    def __init__(self, act):
        self.act = act

    def put(self, chance):
        return self.act()


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(("kind", "cases"), [("images", 60), ("configurations", 12), ("tables", 60)])
def test_a_few_cases_find_no_fault(tmp_path, shown, kind, cases):
    counts, faults, _ = run(kind, cases, 0, tmp_path, shown)
    assert (counts.total(), faults) == (cases, [])
    assert counts["answered"]
    assert counts["refused"]


def test_a_case_is_the_same_alone():
    assert case(3, "images", 5).random() == case(3, "images", 5).random() != case(3, "tables", 5).random()


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (raising(KeyError("a")), fuzz_doors.TRACEBACK),
        (raising(MemoryError()), fuzz_doors.TRACEBACK),
        (raising(InputError("no sentence")), fuzz_doors.NO_SENTENCE),
        (lambda: check_sound({"a": [np.array([1.0, np.nan])]}), fuzz_doors.NONSENSE),
        (lambda: check_sound((2**63,)), fuzz_doors.NONSENSE),
        (lambda: time.sleep(20), fuzz_doors.HANG),
    ],
)
def test_each_kind_of_fault_is_found(monkeypatch, shown, act, kind):
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    with pytest.raises(FaultError) as fault:
        attempt(Door(act), case(0, "images", 0), shown)
    assert fault.value.kind == kind


def test_what_is_allowed_is_counted(shown):
    assert attempt(Door(lambda: "answered"), case(0, "images", 0), shown) == "answered"
    assert attempt(Door(raising(InputError("It is 1.\nReceived: 2."))), case(0, "images", 0), shown) == "refused"


def test_decoders_that_differ_are_a_fault(images, monkeypatch, shown):
    read = images.decoders["OpenCV"].read_image
    monkeypatch.setattr(images.decoders["OpenCV"], "read_image", lambda path: read(path) ^ 1)
    monkeypatch.setattr(fuzz_doors, "spoilt_image", lambda encoded, chance: encoded)
    chance = next(one for one in (case(0, "images", number) for number in range(9)) if one.random() > 0.1)
    with pytest.raises(FaultError, match="two decoders give other pixels"):
        attempt(images, chance, shown)


def test_memory_that_grows_is_a_fault(tmp_path, monkeypatch, shown):
    held = []
    monkeypatch.setitem(fuzz.KINDS, "images", lambda folder: Door(lambda: held.append(np.ones(10**6)) or "answered"))
    monkeypatch.setattr(fuzz, "MEGABYTES", 50.0)
    counts, faults, grown = run("images", 20, 0, tmp_path, shown)
    assert counts["answered"] == 20
    assert 100 < grown < 250
    assert [fault.split(" by ")[0] for fault in faults] == ["images grew"]


@pytest.mark.parametrize(("faulty", "code"), [(False, 0), (True, 1)])
def test_the_counts_are_a_table_and_a_fault_is_exit_code_1(monkeypatch, capsys, faulty, code):
    act = raising(KeyError("a")) if faulty else lambda: "answered"
    for kind in fuzz.KINDS:
        monkeypatch.setitem(fuzz.KINDS, kind, lambda folder: Door(act))
    monkeypatch.setattr(fuzz, "_hushed", lambda: contextlib.nullcontext(open(os.devnull, "w")))  # noqa: SIM115
    arguments = argparse.Namespace(images=2, configurations=1, tables=0, seed=7, only=None)
    with pytest.raises(SystemExit) as end:
        fuzz.main(arguments)
    printed = capsys.readouterr().out
    assert end.value.code == code
    assert "| images | 2 |" in printed
    assert ("images:1 traceback: KeyError: 'a' (--seed 7)" in printed) == faulty
    arguments.only = "images:1"
    with pytest.raises(FaultError) if faulty else contextlib.nullcontext():
        fuzz.main(arguments)


@pytest.mark.parametrize("only", ["pictures:1", "images", "images:x"])
def test_no_case_is_a_sentence(only):
    with pytest.raises(InputError, match=f"--only names a case as KIND:NUMBER, of images, .*Received: '{only}'"):
        fuzz.main(argparse.Namespace(only=only, seed=0))


def test_standard_error_is_back_after_the_cases(capfd):
    with fuzz._hushed() as shown:
        os.write(2, b"of a library")
        print("of the bar", file=shown)
    os.write(2, b"then")
    assert capfd.readouterr().err == "of the bar\nthen"


def test_blocks_of_exif_are_read(images):
    """So often that the mutations reach what follows a note."""
    noted = [fuzz_mutations._with_exif(encoded, fuzz_mutations._exif(case(0, "a", n))) for n in range(200)
             for encoded in images.files[:5]]  # fmt: skip
    headers = [read_header(encoded) for encoded in noted]
    assert all(headers)
    assert {header.orientation for header in headers} == set(range(1, 9))
    assert {header.format for header in headers if header.orientation > 1} == {"JPEG", "PNG", "WebP"}
