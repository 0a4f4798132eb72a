import contextlib
import re
from types import SimpleNamespace

import pytest

from reid_tf.commands.benchmarks import soak
from tests.commands.made_run import plain_encoder, write_run
from tests.serving.request_images import drawn, encode


@pytest.fixture
def run_and_images(tmp_path):
    (tmp_path / "images").mkdir()
    for seed in range(6):
        (tmp_path / "images" / f"{seed}.jpg").write_bytes(encode(drawn(seed, 60, 30), ".jpg"))
    return write_run(tmp_path / "run", plain_encoder()), tmp_path / "images"


@pytest.mark.slow
def test_a_short_soak_has_a_row_for_each_tenth_and_no_wrong_answer(run, run_and_images):
    made, images = run_and_images
    words = ("--run", made, "--images", images, "--requests", 120, "--growth", 50)
    result = run("benchmark", "soak", *words)
    assert result.returncode == 0, result.stderr
    rows = [line.split("|")[1:-1] for line in result.stdout.splitlines() if line.startswith("|")][2:]
    assert [int(row[0]) for row in rows] == [12 * part for part in range(1, 11)]
    assert all(int(row[-1]) == 0 for row in rows)
    assert sum(int(row[-2]) for row in rows) > 0  # some were refused, in a sentence
    assert re.search(r"at the end: [+-]\d", result.stdout)


@pytest.mark.slow
def test_a_program_that_does_not_start_is_a_sentence(run, run_and_images, tmp_path):
    result = run("benchmark", "soak", "--run", tmp_path / "no-run", "--images", run_and_images[1])
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "did not start" in result.stderr
    assert "no-run" in result.stderr


def test_memory_that_grows_is_an_error(run, run_and_images, monkeypatch):
    used = iter([80.0, 100.0, *(101.0 for _ in range(7)), 103.0])
    monkeypatch.setattr(soak, "_served", lambda *_: contextlib.nullcontext((SimpleNamespace(pid=1), "http://none")))
    monkeypatch.setattr(soak, "resident_bytes", lambda _: next(used))
    monkeypatch.setattr(soak._Asking, "add", lambda self: None)
    monkeypatch.setattr(soak._Asking, "ask", lambda self, count: None)
    result = run("benchmark", "soak", "--run", run_and_images[0], "--images", run_and_images[1])
    assert result.returncode == 2
    assert "The memory of the program grew by 3.00 %, more than 2 %." in result.stderr


def test_an_answer_that_is_wrong_is_counted(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(drawn(0, 60, 30), ".jpg"))
    asking = soak._Asking("http://127.0.0.1:9", [path])
    monkeypatch.setattr(asking, "_post", lambda *_: {"groups": [[{"path": str(path), "distance": 0.5}]], "added": 1})
    asking._search(str(path))
    asking._again(str(path))
    assert len(asking.wrong) == 2
    assert "did not find it at no distance: [0.5]" in asking.wrong[0]
