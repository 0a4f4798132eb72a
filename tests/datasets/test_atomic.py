import pytest

from reid_tf.datasets.atomic import atomic_folder


def test_a_folder_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "a" / "b"
    with atomic_folder(final) as temporary:
        (temporary / "x").write_text("x")
        assert not final.exists()
    assert (final / "x").read_text() == "x"
    assert [item.name for item in final.parent.iterdir()] == ["b"]


def test_nothing_stays_after_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "b") as temporary:  # noqa: PT012
        (temporary / "x").write_text("x")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_kept(tmp_path):
    final = tmp_path / "b"
    final.mkdir()
    (final / "old").write_text("old")
    with pytest.raises(OSError, match="not empty"), atomic_folder(final) as temporary:
        (temporary / "x").write_text("x")
    assert [item.name for item in final.iterdir()] == ["old"]
    assert [item.name for item in tmp_path.iterdir()] == ["b"]


def test_the_folder_can_be_read_by_others(tmp_path):
    with atomic_folder(tmp_path / "b"):
        pass
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "b").stat().st_mode == (tmp_path / "usual").stat().st_mode
