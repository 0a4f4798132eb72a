import argparse
import importlib.metadata
import re

import pytest

from reid_tf.commands.benchmarks import installation


def test_sizes_are_those_on_the_disk():
    folder = importlib.metadata.distribution("numpy").locate_file("numpy")
    on_disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.suffix != ".pyc") / 1e6
    assert on_disk <= installation.megabytes()["numpy"] < 3 * on_disk


def test_every_start_has_a_line(monkeypatch, capsys):
    monkeypatch.setattr(installation, "STARTS", {"nothing": ["pass"], "a while": ["import time; time.sleep(0.3)"]})
    parser = argparse.ArgumentParser()
    installation.add_arguments(parser)
    installation.main(parser.parse_args(["--rounds", "2", "--largest", "3"]))
    total, *packages, nothing, a_while = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[\d,]+ MB in \d+ packages, of which", total)
    sizes = [float(line.split()[1].replace(",", "")) for line in packages]
    assert len(sizes) == 3
    assert sizes == sorted(sizes, reverse=True)
    assert float(nothing.split()[1]) + 0.25 < float(a_while.split()[2])


def test_what_cannot_start_is_no_figure():
    with pytest.raises(Exception, match="non-zero exit status"):
        installation.seconds(["raise SystemExit(3)"])
