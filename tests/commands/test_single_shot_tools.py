import argparse
import json
import re

import pytest

from reid_tf.commands.benchmarks import single_shot
from tests.commands.made_run import plain_encoder, write_run


@pytest.fixture
def root(tmp_path):
    from tests.datasets.made_cuhk03 import write_release

    (tmp_path / "data").mkdir()
    write_release(tmp_path / "data" / "cuhk-03.mat")
    return tmp_path / "data"


def test_cuhk03_is_evaluated_by_single_shots(run, root, tmp_path):
    directory = write_run(tmp_path / "run", plain_encoder(), root)
    arguments = ("--run", directory, "--dataset", "cuhk03_classic", "--data", root, "--option", "split=1")
    result = run("evaluate", *arguments, "--protocol", "cuhk03_single_shot", "--draws", "7")
    assert result.returncode == 0, result.stderr
    assert re.search(r"cuhk03_classic \| +\d+\.\d\d ± \d+\.\d\d \|", result.stdout)
    out = directory / "evaluation-cuhk03_classic"
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["valid_queries"], metrics["skipped_queries"]) == (1, 0)
    # Rank-1 is a whole number of draws, and its spread that of as many yeses among seven.
    found = round(7 * metrics["rank1"])
    assert 7 * metrics["rank1"] == pytest.approx(found)
    assert metrics["rank1_spread"] ** 2 == pytest.approx(found / 7 * (1 - found / 7))
    assert {path.name for path in out.iterdir()} == {
        "metrics.json", "ranked_lists.png", "cmc.png", "per_query.csv", "tables.md", "cameras.csv",
    }  # fmt: skip

    for draws, protocol, message in (
        ("7", "market1501", "--draws belongs to the protocol 'cuhk03_single_shot'. Received: --draws 7 with 'market"),
        ("0", "cuhk03_single_shot", "Argument --draws: it must be at least 1"),
    ):
        result = run("evaluate", *arguments, "--protocol", protocol, "--draws", draws)
        assert result.returncode == 2
        assert message in result.stderr


def test_the_doctor_compares_with_what_was_published(run, root):
    result = run("check", "--dataset", "cuhk03_classic", "--data", root)
    assert result.returncode == 0, result.stderr
    assert "train+query+gallery has 29 images, published (detected) 14,097" in result.stdout
    assert "train has 7 identities, published (detected) 1,367" in result.stdout


def test_the_benchmark_prints_a_ratio_for_every_number_of_draws(capsys):
    parser = argparse.ArgumentParser()
    single_shot.add_arguments(parser)
    sizes = ("--queries", "40", "--gallery", "300", "--dimensions", "8", "--repeats", "2", "--draws", "1", "3")
    single_shot.main(parser.parse_args(sizes))
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "draws"
    assert [row.split()[0] for row in rows] == ["1", "3"]
    assert all(float(row.split()[3]) > 0 for row in rows)
