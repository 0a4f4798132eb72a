import argparse
import time

import pytest

from reid_tf.commands.benchmarks import step
from reid_tf.errors import InputError


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    step.add_arguments(parser)
    return parser.parse_args(arguments)


def test_functions_take_turns_and_the_first_round_does_not_count():
    calls = []
    slow_first = lambda: (calls.append("a"), time.sleep(1.0 if len(calls) == 1 else 0.01))  # noqa: E731
    seconds = step.take_turns([slow_first, lambda: calls.append("b")], rounds=3, repeats=2)
    assert "".join(calls) == "aabb" * 4
    assert seconds.shape == (2, 3)
    assert 0.01 <= seconds[0].min() <= seconds[0].max() < 0.5  # the slow call would give 0.505


@pytest.mark.slow
def test_the_table_has_a_row_for_every_set_of_outputs(tmp_path, capsys):
    tiny = ["backbone.width=2", "image_size=[32,16]", "dataset.identities=8", "dataset.images_per_identity=4"]
    options = [word for value in tiny for word in ("--set", value)]
    step.main(parse("--data", str(tmp_path), "--identities", "4", "--rounds", "2", "--steps", "1", *options))
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == "multitask_synthetic: tiny, 16 images of 32 x 16 per step, float32"
    assert [line[:24].strip() for line in lines[2:]] == list(step.ROWS)
    assert lines[2].split("ms")[1].split() == ["1.000", "1.000", "to", "1.000"]
    assert all(float(line.split("ms")[1].split()[0]) > 0 for line in lines[3:])


def test_another_model():
    with pytest.raises(InputError, match="model 'multitask' are compared. Received: 'baseline'"):
        step.main(parse("--model", "baseline"))
