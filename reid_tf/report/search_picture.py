"""A picture of what a search found, where nobody says whom the images show."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from reid_tf.options import whole_number
from reid_tf.report.ranked_list import RankedImage, ranked_list


def draw_search(
    gallery: Sequence[str],
    indices: np.ndarray,
    values: np.ndarray,
    read_image: Callable[[str], np.ndarray],
    queries: Sequence[str] | None = None,
    rows: int = 8,
    k: int = 10,
    explain: Callable[[str, str], np.ndarray] | None = None,
) -> np.ndarray:
    """Draws the first results of the first searches, one per row, all in gray frames.

    Beneath each result are its rank, its distance or probability, and its file's name.

    Args:
        gallery: sequence of str. Paths of the images searched in.
        indices: int [Q, n]. What was found, as indices into the gallery, best first.
        values: float [Q, n]. Distances to the query or, without queries, probabilities.
        read_image: function of a path that returns uint8 [H, W, 3], RGB.
        queries: sequence of Q str, or None. Paths of the images searched with; None for
            searches by attributes.
        rows: int >= 1. Searches drawn; fewer where there are fewer.
        k: int >= 1. Results per search; fewer where there are fewer.
        explain: function of the paths of a result and of its query that draws the
            result, such as `explaining()` gives, or None. The query is drawn by it
            beside its first result.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: there is no search, an image cannot be read, or rows or k is no
            count.
    """
    rows, k = whole_number("rows", rows), whole_number("k", k)
    symbol = "p" if queries is None else "d"
    lists = []
    for search in range(min(rows, len(indices))):
        places = []
        if queries is not None:
            query = queries[search]
            shown = explain(query, gallery[indices[search][0]]) if explain else read_image(query)
            places.append(RankedImage(shown, ("query", Path(query).name), None))
        found = zip(indices[search][:k], values[search][:k], strict=True)
        for place, (index, value) in enumerate(found, 1):
            caption = (f"{place}.  {symbol} = {value:.3f}", Path(gallery[index]).name)
            shown = explain(gallery[index], queries[search]) if explain and queries else read_image(gallery[index])
            places.append(RankedImage(shown, caption, None))
        lists.append(places)
    return ranked_list(lists)
