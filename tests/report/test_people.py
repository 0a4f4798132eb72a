import cv2
import numpy as np
import pytest

from reid_tf.report.people import Stay, contact_sheet, timeline, write_timeline

STAYS = [Stay(1, "door", 0, 5), Stay(2, "door", 3, 9), Stay(1, "<yard>", 20, 30), Stay(3, "door", 6, 8)]


def test_bars_of_one_camera_do_not_overlap():
    (axes,) = timeline(STAYS).axes
    bars = [path.get_extents() for collection in axes.collections for path in collection.get_paths()]
    assert len(bars) == 4
    for number, one in enumerate(bars):
        for other in bars[:number]:
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            down = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert across <= 0 or down <= 0
    assert [label.get_text() for label in axes.get_yticklabels()] == ["<yard>", "door"]


def test_a_page_that_needs_nothing_from_elsewhere(tmp_path):
    write_timeline(tmp_path / "a.png", tmp_path / "a.html", STAYS, {1: "sheets/0001.png"})
    page = (tmp_path / "a.html").read_text()
    assert '<a href="sheets/0001.png">1</a>' in page
    assert "door 00:00:00&ndash;00:00:05 &rarr; &lt;yard&gt; 00:00:20" in page
    assert "<yard>" not in page
    assert "src=" not in page
    assert cv2.imread(str(tmp_path / "a.png")) is not None


def test_short_tracklets_share_a_row(tmp_path):
    red = np.full((60, 30, 3), (200, 0, 0), np.uint8)
    tile = (red, ("door",))
    sizes = {}
    for name, tracks in (("together", [2, 1, 3]), ("one more", [2, 1, 3, 1]), ("long", [8, 1])):
        contact_sheet(tmp_path / f"{name}.png", [[tile] * count for count in tracks])
        drawn = cv2.imread(str(tmp_path / f"{name}.png"))[..., ::-1]
        sizes[name] = drawn.shape[:2]
    assert ((drawn == (200, 0, 0)).all(axis=2)).mean() > 0.2
    height, width = sizes["together"]  # six crops of short ones share a row
    assert sizes["one more"] == (pytest.approx(2 * height, abs=20), width)
    assert sizes["long"][0] == sizes["one more"][0]
