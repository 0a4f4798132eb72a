import json
import random

import pytest

from reid_tf.commands.benchmarks import kills
from reid_tf.commands.benchmarks.kills import PLACES, kill, place


@pytest.mark.slow
def test_killed_trainings_end_as_if_they_had_not_been(tmp_path):
    counts = kill(tmp_path, 2, random.Random(1))
    assert sum(counts[where] for where in PLACES) == 2
    assert counts["runs"] >= 1
    assert (counts["runs that differ"], counts["files left over"]) == (0, 0)


def test_where_a_kill_falls(tmp_path):
    run = tmp_path / "a"
    assert place(run, 3) == kills.BEFORE
    checkpoints = tmp_path / "a.unfinished" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for state, expected in (
        ({"epoch": 0, "step": 2}, kills.INSIDE),
        ({"epoch": 1, "step": 0}, kills.BETWEEN),
        ({"epoch": 3, "step": 0}, kills.AFTER),
    ):
        (checkpoints / "state.json").write_text(json.dumps(state))
        assert place(run, 3) == expected
    (checkpoints / ".writing-01234567-state.json").touch()
    assert place(run, 3) == kills.WRITING
