import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.report import search_picture
from reid_tf.report.search_picture import draw_search

GALLERY = [f"crops/{index}.png" for index in range(4)]
INDICES = np.array([[2, 0, 1], [3, 1, 0], [0, 1, 2]])
VALUES = np.array([[0.1, 0.25, 0.5]] * 3)


@pytest.fixture
def drawn(monkeypatch):
    """The captions and the first pixel of what is drawn."""
    rows = []
    original = search_picture.ranked_list

    def remember(lists):
        rows.extend([[(place.caption, place.image[0, 0, 0], place.is_match) for place in places] for places in lists])
        return original(lists)

    monkeypatch.setattr(search_picture, "ranked_list", remember)
    return rows


def read_image(path):
    return np.full((20, 10, 3), int(path[-5]), np.uint8)


def test_the_query_stands_before_its_results(drawn):
    queries = ["q/7.png", "q/8.png", "q/9.png"]
    picture = draw_search(GALLERY, INDICES, VALUES, read_image, queries, rows=2, k=2)
    assert picture.shape == (6 + 2 * 308, 6 + 3 * 144, 3)
    assert drawn == [
        [
            (("query", "7.png"), 7, None),
            (("1.  d = 0.100", "2.png"), 2, None),
            (("2.  d = 0.250", "0.png"), 0, None),
        ],
        [
            (("query", "8.png"), 8, None),
            (("1.  d = 0.100", "3.png"), 3, None),
            (("2.  d = 0.250", "1.png"), 1, None),
        ],
    ]


def test_a_search_by_attributes_has_results_alone(drawn):
    draw_search(GALLERY, INDICES[:1], VALUES[:1], read_image)
    assert drawn == [
        [
            (("1.  p = 0.100", "2.png"), 2, None),
            (("2.  p = 0.250", "0.png"), 0, None),
            (("3.  p = 0.500", "1.png"), 1, None),
        ]
    ]


def test_no_search_makes_no_picture():
    with pytest.raises(InputError, match="Received: rows of"):
        draw_search(GALLERY, INDICES[:0], VALUES[:0], read_image)
