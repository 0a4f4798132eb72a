import argparse
import time

import pytest
import yaml

from reid_tf.commands.benchmarks import pipeline
from tests.commands.test_preview import experiment


def test_the_waiting_share_is_the_time_inside_next():
    def slow_batches():
        while True:
            time.sleep(0.01)
            yield 1

    share = pipeline.waiting_share(slow_batches(), lambda batch: time.sleep(0.03), steps=8)
    assert share == pytest.approx(0.25, abs=0.08)
    assert pipeline.waiting_share(iter([1] * 10), lambda batch: time.sleep(0.01), steps=8) < 0.05


@pytest.mark.slow
def test_the_table_has_a_rate_for_every_step_and_source(tmp_path, capsys):
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(experiment(tmp_path)))
    parser = argparse.ArgumentParser()
    pipeline.add_arguments(parser)
    pipeline.main(parser.parse_args(["--config", str(config), "--seconds", "0.05", "--steps", "2"]))
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0].startswith("tiny: 12 images to 32 x 16")
    rates = {line[:16].strip(): [float(rate.replace(",", "")) for rate in line[16:].split()] for line in lines[2:6]}
    assert {name: len(of_row) for name, of_row in rates.items()} == {
        "files": 5,
        "prepared": 5,
        "cache encoded": 5,
        "cache decoded": 3,
    }
    assert all(rate > 0 for of_row in rates.values() for rate in of_row)
    assert lines[6].startswith("decoding accurately, upright and within the limit of pixels: ")
    assert lines[7].startswith("waiting for data: ")
    assert lines[7].endswith("% of the time of 2 steps")
