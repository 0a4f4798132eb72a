"""Pictures of ranked lists: the query on the left, what the encoder found on the right."""

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.report.picture import WHITE, captioned, framed, letterbox, sheet
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.pairs import same_identity_pairs
from reid_tf.retrieval.protocols import ignored_pairs
from reid_tf.retrieval.ranking import rank
from reid_tf.retrieval.reranking import Reranking

RIGHT = (0, 158, 60)
WRONG = (214, 32, 32)
QUERY = (90, 90, 90)


@dataclasses.dataclass(frozen=True, eq=False)
class RankedImage:
    """One place of a ranked list.

    Args:
        image: uint8 [H, W, 3], RGB.
        caption: tuple of str. The lines beneath it.
        is_match: bool, or None for the query and where nobody knows. Whether it shows
            the query's identity.
    """

    image: np.ndarray
    caption: tuple[str, ...]
    is_match: bool | None


def ranked_list(rows: Sequence[Sequence[RankedImage]]) -> np.ndarray:
    """Draws ranked lists, one per row.

    A right image has a green frame and a tick, a wrong one a red frame and a cross,
    others a gray frame.

    Args:
        rows: sequences of `RankedImage`, the query first; a row may be shorter than the
            others.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: there is no row, a row is empty, or an image has another shape or
            type.
    """
    if not rows or not all(len(row) for row in rows):
        raise InputError(
            f"Every row of ranked lists must begin with its query. Received: rows of {[*map(len, rows)]} images."
        )
    most = max(len(place.caption) for row in rows for place in row)
    return sheet([[_tile(place, most) for place in row] for row in rows])


def draw_ranked_lists(
    query: Embeddings,
    gallery: Embeddings,
    read_image: Callable[[str], np.ndarray],
    rows: int = 8,
    k: int = 10,
    distance: str = "cosine",
    protocol: str = "market1501",
    seed: int = 0,
    reranking: Reranking | None = None,
    explain: Callable[[str, str], np.ndarray] | None = None,
) -> np.ndarray:
    """Draws the ranked lists of some queries that have a match.

    Gallery images that the protocol ignores are left out. Beneath each result are its
    rank, distance, identity and camera.

    Args:
        query: `Embeddings` with paths.
        gallery: `Embeddings` with paths.
        read_image: function of a path that returns uint8 [H, W, 3], RGB.
        rows: int. Queries drawn at random among those with a match, all of them where
            there are fewer; in query order.
        k: int. Results per query; fewer where the gallery is smaller.
        distance: "cosine", "euclidean" or "mean_squared".
        protocol: "market1501", "single_camera" or "cuhk03_single_shot", whose lists
            show the whole gallery: nothing is drawn from it.
        seed: int. Which queries are drawn.
        reranking: `Reranking`, or None for the plain distance.
        explain: function of the paths of a result and of its query that draws the
            result, such as `explaining()` gives, or None.

    Returns:
        uint8 [height, width, 3].

    Raises:
        InputError: a side has no paths, rows or k is less than 1, no query has a match,
            or as `evaluate()`.
    """
    rows, k = whole_number("rows", rows), whole_number("k", k)
    if not query.paths or not gallery.paths:
        raise InputError(
            f"Ranked lists need paths of query and gallery images. Received: {len(query.paths)} query paths, "
            f"{len(gallery.paths)} gallery paths."
        )
    pairs = same_identity_pairs(query, gallery)
    ignored = ignored_pairs(query, gallery, pairs, protocol)
    with_match = np.unique(pairs.queries[~ignored])
    if not len(with_match):
        raise InputError(f"None of {len(query)} queries has a match that the protocol {protocol!r} counts.")
    drawn = np.sort(np.random.default_rng(seed).choice(with_match, min(rows, len(with_match)), replace=False))
    # As many more as the protocol may ignore, so that k remain.
    most_ignored = np.bincount(pairs.queries[ignored], minlength=1).max()
    most = min(k + most_ignored, len(gallery))
    if reranking is None:
        entries, distances = rank(query.select(drawn), gallery, most, distance)
    else:  # all queries are one another's neighbours there
        entries, distances = (values[drawn] for values in rank(query, gallery, most, distance, reranking))
    lists = []
    for row, index in enumerate(drawn):
        counted = ~np.isin(entries[row], pairs.entries[ignored & (pairs.queries == index)])
        results = zip(entries[row][counted][:k], distances[row][counted][:k], strict=True)
        places = [RankedImage(read_image(query.paths[index]), ("query", _who(query, index)), None)]
        for place, (entry, away) in enumerate(results, 1):
            is_match = bool(gallery.identities[entry] == query.identities[index])
            caption = (f"{place}.  d = {away:.3f}", _who(gallery, entry))
            path = gallery.paths[entry]
            shown = explain(path, query.paths[index]) if explain else read_image(path)
            places.append(RankedImage(shown, caption, is_match))
        lists.append(places)
    return ranked_list(lists)


def _who(embeddings: Embeddings, index: int) -> str:
    return f"id {embeddings.identities[index]}  cam {embeddings.cameras[index]}"


def _tile(place: RankedImage, lines: int) -> np.ndarray:
    colour = QUERY if place.is_match is None else RIGHT if place.is_match else WRONG
    tile = letterbox(place.image)
    if place.is_match is not None:
        _draw_mark(tile, place.is_match, colour)
    return captioned(framed(tile, colour), [*place.caption, *[""] * (lines - len(place.caption))])


def _draw_mark(tile: np.ndarray, is_match: bool, colour: tuple[int, int, int]) -> None:
    # Red and green look alike to many people, a tick and a cross do not.
    strokes = [[(6, 15), (11, 20), (21, 7)]] if is_match else [[(7, 7), (20, 20)], [(20, 7), (7, 20)]]
    cv2.rectangle(tile, (0, 0), (27, 27), colour, cv2.FILLED)
    for stroke in strokes:
        cv2.polylines(tile, [np.array(stroke, np.int32)], False, WHITE, 3, cv2.LINE_AA)
