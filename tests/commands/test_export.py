import argparse

import pytest

from reid_tf.commands.benchmarks import load, serve
from reid_tf.errors import InputError
from tests.made_exports import attribute_encoder, write_data, write_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return write_run(folder / "a", attribute_encoder(), write_data(folder / "data"))


def test_an_export_is_compared_and_named(run, finished, tmp_path):
    result = run("export", "--run", finished, "--format", "litert", "--out", tmp_path / "x", "--max-images", "16")
    assert result.returncode == 0, result.stderr
    *_, title, header, of_run, of_export, difference, _, named = result.stdout.splitlines()
    assert title == "compared on 16 images, 4 queries:"
    assert header.split() == ["rank-1", "mAP"]
    assert of_run.split()[1:] == of_export.split()[1:]
    assert float(difference.split()[5]) < 1e-5
    assert named.endswith(f" MB: {tmp_path / 'x'}")
    assert (tmp_path / "x" / "encoder.tflite").is_file()

    result = run("export", "--run", finished, "--format", "litert", "--out", tmp_path / "x")
    assert result.returncode == 2
    assert result.stderr.startswith("error: The export folder ")


def test_every_format_is_measured_beside_the_saved_model(finished, capsys, monkeypatch):
    monkeypatch.setattr(serve, "FORMATS", {"SavedModel": "savedmodel", "LiteRT, int8": "litert-int8"})
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    serve.main(parser.parse_args(["--run", str(finished), "--batch", "3", "--rounds", "2"]))
    lines = capsys.readouterr().out.splitlines()
    assert "32 x 16, batches of 3" in lines[-7]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[-4:]]
    assert [row[0] for row in rows[1:]] == ["SavedModel", "LiteRT, int8", "SavedModel, from files"]
    assert rows[1][3] == rows[1][5] == "1.00"
    for row in rows[1:]:
        assert 0 < float(row[1]) <= float(row[2])
        assert float(row[4]) > 0
    judged = [line for line in lines if line.startswith("mAP of the run itself: ")]
    assert rows[1][8] == judged[0].split()[-2]


def test_a_process_of_its_own_is_measured(finished):
    first, then = load.measure(str(finished), 3)
    assert 0 < then < first  # which has the imports in it
    with pytest.raises(InputError, match=r"cannot be used: .*InputError: .* is not a finished run"):
        load.measure(str(finished.parent / "data"), 3)
