import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from reid_tf.commands.benchmarks import gpu

SMALL = {"backbone": {"name": "tiny", "width": 4}, "image_size": (32, 16), "rate": 1e-4}


def in_this_process(function, *given):
    return function(*given)


@pytest.fixture
def small(monkeypatch):
    """One small network, measured in this process."""
    monkeypatch.setattr(gpu, "NETWORKS", {"light": SMALL})
    monkeypatch.setattr(gpu, "in_own_process", in_this_process)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(gpu, "PRODUCT", 256)


def test_a_row_for_each_precision_and_a_file(run, small, tmp_path):
    words = ("--networks", "light", "--precisions", "float32", "--batch", 8, "--steps", 2, "--no-xla")
    result = run("benchmark", "gpu", *words, "--out", tmp_path / "a.json")
    assert result.returncode == 0, result.stderr
    assert "| light | float32 | no | 1 |" in result.stdout
    figures = json.loads((tmp_path / "a.json").read_text())
    (row,) = figures["rows"]
    assert figures["backend"] == "tensorflow"
    assert row["difference"] == pytest.approx(0, abs=1e-6)
    assert row["training"] > 0
    assert row["embedding_share"] == pytest.approx(
        2 * row["multiply_adds"] * row["embedding"] / figures["product_per_second"]["float32"]
    )
    assert len(row["losses"]) == gpu.COMPARED
    assert row["losses"][-1] < row["losses"][0]


@pytest.mark.parametrize(
    ("found", "cell"),
    [
        ({"losses": [4.0, 3.0]}, "25.00 % off, too far"),
        ({"losses": [None, 4.0]}, "not finite"),
        ({"error": "no room"}, "no room"),
    ],
)
def test_losses_that_are_not_the_cpus_are_an_error(run, small, monkeypatch, tmp_path, found, cell):
    def measured(task, peaks):
        peaks["float32"] = 1.0
        return {"training": 1.0, "embedding": 1.0, "multiply_adds": 1, **found}

    monkeypatch.setattr(gpu, "losses", lambda task: {"losses": [4.0, 4.0]})
    monkeypatch.setattr(gpu, "_measured", measured)
    words = ("--networks", "light", "--precisions", "float32", "--no-xla", "--out", tmp_path / "a.json")
    result = run("benchmark", "gpu", *words)
    assert json.loads((tmp_path / "a.json").read_text())["rows"][0]["right"] is False
    assert result.returncode == 2
    assert cell in result.stdout
    assert "1 of 1 did not train with the losses of the CPU: light in float32 on 1." in result.stderr


def test_what_a_backend_raises_is_told_in_its_row(monkeypatch):
    def fail(task):
        raise MemoryError("no room\nat all")

    monkeypatch.setattr(gpu, "in_own_process", in_this_process)
    for failing in ("losses", "product"):
        with monkeypatch.context() as patched:
            patched.setattr(gpu, failing, fail)
            peaks = {} if failing == "product" else {"float32": 1.0}
            assert gpu._measured({"devices": 1, "precision": "float32"}, peaks) == {"error": "no room at all"}


def test_losses_that_are_not_finite_are_none(small, monkeypatch):
    class Diverging:
        def train_on_batch(self, *given, return_dict):
            return {"loss": np.float32("nan")}

    monkeypatch.setattr(gpu, "_prepared", lambda task: (SimpleNamespace(model=Diverging()), np.zeros(4), {}))
    assert gpu.losses({"batch": 4}) == {"losses": [None] * gpu.COMPARED}


def test_a_batch_without_whole_identities_is_refused(run):
    result = run("benchmark", "gpu", "--batch", 6)
    assert (result.returncode, "multiple of 4 images. Received: --batch 6" in result.stderr) == (2, True)
