import argparse
import importlib.util

import pytest

from reid_tf.commands.benchmarks import gallery


@pytest.mark.skipif(importlib.util.find_spec("milvus_lite") is None, reason="the extra [gallery] is not installed")
def test_a_folder_finds_what_memory_finds(capsys, monkeypatch):
    monkeypatch.setattr(gallery, "SEARCHES", 5)
    parser = argparse.ArgumentParser()
    gallery.add_arguments(parser)
    gallery.main(parser.parse_args(["--rows", "200", "--dimensions", "16"]))
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert [len(line) for line in lines] == [len(gallery.HEADER)] * len(lines)
    folder, in_memory = lines[2], lines[3]
    assert (folder[0], folder[1], folder[-1]) == ("folder", "200", "1.000")
    assert in_memory[0] == "rank, in memory"
    assert int(folder[4].replace(",", "")) > 4 * 16
    assert float(folder[7]) <= float(folder[8])
