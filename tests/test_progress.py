import io
import logging

import pytest

from reid_tf import progress


def test_where_nobody_watches_a_line_says_what_is_done(caplog):
    written = io.StringIO()
    with caplog.at_level(logging.INFO):
        assert list(progress.progress_bar(range(3), what="drawing", unit="image", total=3000, file=written)) == [
            0,
            1,
            2,
        ]
        progress.announce("checking", "file", 1)
        progress.announce("downloading", "byte")
    assert caplog.messages == ["drawing 3,000 images", "checking 1 file", "downloading"]
    assert written.getvalue() == ""


@pytest.mark.parametrize("shown", [True, False])
def test_where_somebody_watches_there_is_a_bar(caplog, monkeypatch, shown):
    monkeypatch.setattr(progress, "is_watched", lambda: True)
    written = io.StringIO()
    with (
        caplog.at_level(logging.INFO),
        progress.progress_bar(what="drawing", unit="image", total=2, shown=shown, file=written) as bar,
    ):
        bar.update(2)
        progress.announce("checking", "file", 1)
    assert caplog.messages == []
    assert ("drawing: 100%" in written.getvalue()) is shown
