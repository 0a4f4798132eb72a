import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report import ranked_list as module
from reid_tf.report.ranked_list import QUERY, RIGHT, WRONG, RankedImage, draw_ranked_lists, ranked_list
from reid_tf.retrieval import Embeddings

IMAGE = np.full((32, 16, 3), 77, np.uint8)
TILE_WIDTH = 128 + 2 * 5 + 6  # image, frame, gap
TILE_HEIGHT = 256 + 2 * 5 + 2 * 18 + 6


def frame_colours(picture, row):
    colours = [
        tuple(picture[6 + row * TILE_HEIGHT + 100, 6 + column * TILE_WIDTH].tolist())
        for column in range(9)
        if 6 + column * TILE_WIDTH < picture.shape[1]
    ]
    names = {RIGHT: "right", WRONG: "wrong", QUERY: "query", (255, 255, 255): "nothing"}
    return [names[colour] for colour in colours]


def on_a_line(positions, identities, cameras, prefix="g"):
    paths = [f"{prefix}{number}" for number in range(len(positions))]
    return Embeddings(np.array(positions, np.float32)[:, np.newaxis], identities, cameras, paths)


@pytest.fixture
def drawn(monkeypatch):
    """The rows given to `ranked_list` by `draw_ranked_lists`, as ((caption, is_match), ...)."""
    rows = []

    def remember(lists):
        rows.extend([(place.caption, place.is_match) for place in row] for row in lists)
        return ranked_list(lists)

    monkeypatch.setattr(module, "ranked_list", remember)
    return rows


def read_image(path):
    assert isinstance(path, str)
    return IMAGE


def test_frames_say_what_is_right():
    places = [RankedImage(IMAGE, ("x", "y"), is_match) for is_match in (None, True, False, True)]
    picture = ranked_list([places, places[:2]])
    assert picture.shape == (6 + 2 * TILE_HEIGHT, 6 + 4 * TILE_WIDTH, 3)
    assert frame_colours(picture, 0) == ["query", "right", "wrong", "right"]
    assert frame_colours(picture, 1) == ["query", "right", "nothing", "nothing"]


def test_a_tick_and_a_cross_differ_without_colour():
    right, wrong = (ranked_list([[RankedImage(IMAGE, (), is_match)]]) for is_match in (True, False))
    marks = [(tile[11:39, 11:39] > 250).all(axis=-1) for tile in (right, wrong)]
    assert all(40 < mark.sum() < 400 for mark in marks)
    assert (marks[0] != marks[1]).sum() > 50
    query = ranked_list([[RankedImage(IMAGE, (), None)]])
    assert (query[11:39, 11:39] == 77).all()


def test_draws_what_the_protocol_counts(drawn):
    query = on_a_line([0], [1], [1], "q")
    gallery = on_a_line([4, 1, 2, 3], [1, 2, 1, 1], [2, 1, 1, 3])  # entry 2: the query's own camera
    picture = draw_ranked_lists(query, gallery, read_image, k=5, distance="euclidean")
    assert drawn == [
        [
            (("query", "id 1  cam 1"), None),
            (("1.  d = 1.000", "id 2  cam 1"), False),
            (("2.  d = 3.000", "id 1  cam 3"), True),
            (("3.  d = 4.000", "id 1  cam 2"), True),
        ]
    ]
    assert frame_colours(picture, 0) == ["query", "wrong", "right", "right"]


def test_single_camera_leaves_out_the_image_itself(drawn):
    images = on_a_line([0, 1, 5], [1, 1, 2], [1, 1, 1])
    draw_ranked_lists(images, images, read_image, k=1, distance="euclidean", protocol="single_camera")
    assert drawn == [
        [(("query", "id 1  cam 1"), None), (("1.  d = 1.000", "id 1  cam 1"), True)],
        [(("query", "id 1  cam 1"), None), (("1.  d = 1.000", "id 1  cam 1"), True)],
    ]


def test_k_results_remain_whatever_is_ignored(drawn):
    query = on_a_line([0], [1], [1], "q")
    gallery = on_a_line(range(30), [1] * 20 + [2] * 9 + [1], [1] * 20 + [1] * 9 + [2])
    draw_ranked_lists(query, gallery, read_image, k=3, distance="euclidean")
    assert [caption[0] for caption, _ in drawn[0]] == ["query", "1.  d = 20.000", "2.  d = 21.000", "3.  d = 22.000"]


def test_queries_are_drawn_by_seed_in_their_order(drawn):
    count = 40
    query = on_a_line(range(count), range(1, count + 1), [1] * count, "q")
    gallery = on_a_line(range(count), [*range(1, count), 999], [2] * count)  # the last query has no match
    pictures = [
        draw_ranked_lists(query, gallery, read_image, rows=6, k=1, distance="euclidean", seed=seed)
        for seed in (0, 0, 1)
    ]
    identities = [[int(row[0][0][1].split()[1]) for row in drawn[start : start + 6]] for start in (0, 6, 12)]
    assert identities[0] == identities[1] != identities[2]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert all(drawn_now == sorted(set(drawn_now)) for drawn_now in identities)
    draw_ranked_lists(query, gallery, read_image, rows=100, k=1)
    assert [int(row[0][0][1].split()[1]) for row in drawn[18:]] == [*range(1, count)]


ONE = on_a_line([0], [1], [1])
TWO = on_a_line([0], [1], [2])
NO_PATHS = Embeddings([[0]], [1], [2])


@pytest.mark.parametrize(
    ("query", "gallery", "options", "message"),
    [
        (NO_PATHS, ONE, {}, "Received: 0 query paths, 1 gallery paths"),
        (ONE, NO_PATHS, {}, "Received: 1 query paths, 0 gallery paths"),
        (ONE, TWO, {"rows": 0}, "rows=0"),
        (ONE, TWO, {"k": 0}, "k=0"),
        (ONE, ONE, {}, "None of 1 queries has a match that the protocol 'market1501' counts"),
        (ONE, TWO, {"protocol": "none"}, "Unknown protocol: 'none'"),
        (ONE, TWO, {"distance": "none"}, "Unknown distance: 'none'"),
    ],
)
def test_refuses_what_cannot_be_drawn(query, gallery, options, message):
    with pytest.raises(InputError, match=message):
        draw_ranked_lists(query, gallery, read_image, **options)


def test_a_row_needs_its_query():
    with pytest.raises(InputError, match=r"rows of \[1, 0\] images"):
        ranked_list([[RankedImage(IMAGE, (), None)], []])
    with pytest.raises(InputError, match=r"rows of \[\] images"):
        ranked_list([])
