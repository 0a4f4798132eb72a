import pytest

from reid_tf.files import folder_written_beside, write_json, written_beside


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_beside(path) as beside:
        beside.write_text("half")
        raise RuntimeError("interrupted")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"mAP": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_folder_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "a" / "b"
    with folder_written_beside(final) as temporary:
        (temporary / "x").write_text("x")
        assert not final.exists()
    assert (final / "x").read_text() == "x"
    assert [item.name for item in final.parent.iterdir()] == ["b"]


def test_nothing_stays_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), folder_written_beside(tmp_path / "b") as temporary:
        (temporary / "x").write_text("x")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_kept(tmp_path):
    final = tmp_path / "b"
    final.mkdir()
    (final / "old").write_text("old")
    with pytest.raises(OSError, match="not empty"), folder_written_beside(final) as temporary:
        (temporary / "x").write_text("x")
    assert [item.name for item in final.iterdir()] == ["old"]
    assert [item.name for item in tmp_path.iterdir()] == ["b"]


def test_the_folder_can_be_read_by_others(tmp_path):
    with folder_written_beside(tmp_path / "b"):
        pass
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "usual").stat().st_mode
