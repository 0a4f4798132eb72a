import cv2
import pytest

from reid_tf.errors import InputError
from reid_tf.report.frontier import Placed, frontier, frontier_picture, labels_above

PLACED = {
    "slow and good": Placed(100, 0.5, True),
    "slow and bad": Placed(90, 0.3, False),
    "fast": Placed(400, 0.4, True),
    "as fast, worse": Placed(400, 0.35, False),
    "fastest": Placed(1000, 0.0, False),
    "slower, no better": Placed(80, 0.5, True),
}


def test_the_name_of_the_lower_of_two_neighbours_goes_below():
    near = {"low": Placed(100, 0.50, True), "high": Placed(115, 0.53, True), "far": Placed(200, 0.51, True)}
    assert labels_above(near) == {"low": False, "high": True, "far": True}


def test_who_is_not_outranked_by_a_faster_one():
    assert frontier(PLACED) == ["slow and good", "fast", "fastest"]
    assert frontier({"one": Placed(1, 0.0, False)}) == ["one"]
    assert frontier({}) == []


def test_the_picture_is_whole(tmp_path):
    frontier_picture(tmp_path / "frontier.png", PLACED)
    assert cv2.imread(str(tmp_path / "frontier.png")).shape[2] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["frontier.png"]


@pytest.mark.parametrize(("name", "placed"), [("frontier.jpg", PLACED), ("frontier.png", {})])
def test_what_is_refused(name, placed, tmp_path):
    with pytest.raises(InputError, match="needs a .png path and at least one encoder. Received: "):
        frontier_picture(tmp_path / name, placed)
    assert not list(tmp_path.iterdir())
