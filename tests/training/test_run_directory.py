import pytest

from reid_tf.errors import InputError
from reid_tf.training.run_directory import RunDirectory


def test_the_name_appears_when_the_run_is_complete(tmp_path):
    run = RunDirectory(tmp_path / "a")
    run.make()
    (run.path / "metrics.json").write_text("{}")
    assert not (tmp_path / "a").exists()
    run.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "metrics.json").exists()


def test_a_finished_run_is_not_overwritten(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match="exists already"):
        RunDirectory(tmp_path / "a")


def test_an_interrupted_run_is_resumed_or_removed_never_overwritten(tmp_path):
    run = RunDirectory(tmp_path / "a")
    run.make()
    run.state.write_text("{}")
    with pytest.raises(InputError, match=r"holds an interrupted run; resume it \(--resume --out .*a\)"):
        RunDirectory(tmp_path / "a")
    RunDirectory(tmp_path / "a", resume=True)


def test_a_run_that_never_reached_a_checkpoint_leaves_nothing_to_the_next(tmp_path):
    run = RunDirectory(tmp_path / "a")
    run.make()
    stale = run.checkpoints / "references.json"
    stale.write_text("{}")
    RunDirectory(tmp_path / "a").make()
    assert not stale.exists()
    run.state.write_text("{}")
    stale.write_text("{}")
    RunDirectory(tmp_path / "a", resume=True).make()
    assert stale.exists()


def test_nothing_to_resume(tmp_path):
    with pytest.raises(InputError, match=r"no interrupted run to resume: .*state.json"):
        RunDirectory(tmp_path / "a", resume=True)
