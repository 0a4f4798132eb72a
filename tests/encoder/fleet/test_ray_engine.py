"""Embedding on Ray: the plain command's vectors, blocks that are never done twice, and sentences."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed
from reid_tf.encoder.fleet import ray_engine
from reid_tf.encoder.fleet.parts import packed, read_parts
from reid_tf.encoder.fleet.ray_engine import embed_on_ray, embed_what_can_be, opener
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from tests.made_exports import attribute_encoder, write_data, write_run

EMBED = Path(__file__).resolve().parents[3] / "tools" / "embed.py"


@pytest.fixture
def on_ray():
    """Ray on this machine, for all of a test: a process that starts it again and again may be ended by it."""
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return write_run(folder / "run", attribute_encoder(), write_data(folder / "data"))


@pytest.fixture(scope="module")
def sound(run):
    """56 images, of people 0 to 55."""
    paths = sorted(str(path) for path in (run.parent / "data").iterdir() if path.suffix in (".jpg", ".png"))
    return [Record(path, number, number % 3) for number, path in enumerate(paths)]


@pytest.fixture
def records(sound, tmp_path):
    """And two that are not images, one of them not there."""
    (tmp_path / "page.jpg").write_text("<html>")
    broken = [Record(str(tmp_path / "page.jpg"), 56, 0), Record(f"file://{tmp_path}/none.jpg", 57, 0)]
    return [*sound[:20], *broken, *sound[20:]]


def assert_those_of_the_plain_command(found, run, sound):
    expected = embed(load_encoder(run), sound, verbose=0)
    np.testing.assert_allclose(found.vectors, expected.vectors, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.identities, expected.identities)
    np.testing.assert_array_equal(found.cameras, expected.cameras)
    assert found.paths == expected.paths
    assert found.encoder == expected.encoder


def test_what_cannot_be_read_does_not_stop_the_others(run, sound, records):
    found, refused = embed_what_can_be(load_encoder(run), records, batch_size=16)
    assert_those_of_the_plain_command(found, run, sound)
    assert [*refused] == [records[20].path, records[21].path]
    assert "page.jpg" in refused[records[20].path]


def test_a_block_of_which_nothing_can_be_read_is_empty(run, records):
    found, refused = embed_what_can_be(load_encoder(run), records[20:22])
    assert found.vectors.shape == (0, 6)
    assert len(refused) == 2
    some, _ = embed_what_can_be(load_encoder(run), records[:2])
    assert Embeddings.concatenate([found, some]).paths == some.paths


@pytest.mark.slow
def test_an_interrupted_fleet_goes_on_and_has_the_plain_vectors(on_ray, run, sound, records, tmp_path):
    given = []

    def stop_at_the_third(embeddings):
        if len(given) == 2:
            raise KeyboardInterrupt
        given.append(len(embeddings))

    options = {"block_size": 16, "batch_size": 16}
    with pytest.raises(KeyboardInterrupt):
        embed_on_ray(opener(str(run)), records, tmp_path / "out", each=stop_at_the_third, **options)
    assert not (tmp_path / "out").exists()
    parts = sorted((tmp_path / "out.unfinished").glob("part-*"))
    assert len(parts) == 3  # the third is there, and its `each` is still to be done
    done = sorted((tmp_path / "out.unfinished").glob(".part-*.done"))
    written = {path.name: path.stat().st_mtime_ns for path in parts if (path.with_name(f".{path.name}.done")) in done}
    made = embed_on_ray(opener(str(run)), records, tmp_path / "out", each=lambda one: given.append(len(one)), **options)
    assert (made.count, made.dim, len(made.refused)) == (56, 6, 2)
    assert sorted(given) == [10, 14, 16, 16]
    assert_those_of_the_plain_command(read_parts(tmp_path / "out"), run, sound)
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in written} == written
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"images.json", *(f"part-{block:06d}.parquet" for block in range(4))}
    with pytest.raises(InputError, match="exists already"):
        embed_on_ray(opener(str(run)), records, tmp_path / "out")


@pytest.mark.slow
def test_an_encoder_that_cannot_be_opened_on_ray_is_a_sentence(run, tmp_path):
    words = ["--engine", "ray", "--run", str(tmp_path / "no-such-run"), "--images", str(run.parent / "data")]
    result = subprocess.run(
        [sys.executable, str(EMBED), *words, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert result.returncode == 2, result.stderr
    assert re.fullmatch(r"error: '.*no-such-run' is not a finished run: .*\n", result.stderr)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_was_begun_with_other_images_is_refused(sound, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "init", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed_on_ray(opener("run"), sound, tmp_path / "out")
    with pytest.raises(InputError, match=r"other images or blocks, \{'images': 56.* Received: \{'images': 55"):
        embed_on_ray(opener("run"), sound[:55], tmp_path / "out")
    renamed = [dataclasses.replace(sound[0], identity=99), *sound[1:]]
    with pytest.raises(InputError, match="other images or blocks"):  # that a finished block shows somebody else
        embed_on_ray(opener("run"), renamed, tmp_path / "out")


def test_blocks_of_another_encoder_are_not_joined(run, sound, tmp_path, monkeypatch):
    here, other = load_encoder(run), load_encoder(run).with_options(flip=True)

    def embedded(open_encoder, blocks, *_):
        for block, part in blocks:
            yield block, packed(*embed_what_can_be(open_encoder(), part))
            if block == 0:
                return

    monkeypatch.setattr(ray_engine, "_embedded", embedded)
    with pytest.raises(InputError, match="is not a file of embeddings"):  # of a block that is still to be done
        embed_on_ray(lambda: here, sound, tmp_path / "out", block_size=32)
    with pytest.raises(InputError, match="The blocks that are there .* a new one"):
        embed_on_ray(lambda: other, sound, tmp_path / "out", block_size=32)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:9", r"No Ray cluster answers at '127.0.0.1:9' \(Connection refused\)"),
        ("127.0.0.1", "An address must be host:port.*Received: '127.0.0.1'"),
    ],
)
def test_a_cluster_that_is_not_there_is_a_sentence(address, said, sound, tmp_path):
    with pytest.raises(InputError, match=said):
        embed_on_ray(opener("run"), sound, tmp_path / "out", address=address)


def test_a_cluster_of_another_python_is_a_sentence(sound, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("Version mismatch: The cluster was started with:\n    Python: 3.9.1\nThis process: 3.11.7")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(InputError, match=r"^The Ray cluster at 'auto' cannot be used: Version mismatch.*3.9.1.*3.11.7"):
        embed_on_ray(opener("run"), sound, tmp_path / "out", address="auto")
