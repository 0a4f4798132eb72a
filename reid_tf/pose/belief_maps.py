"""Belief maps of a pose machine -> landmarks."""

import numpy as np

_EMPTY = 1e-3  # beliefs up to this are noise, and their logarithms no part of a Gaussian


def landmarks_of(belief_maps: np.ndarray) -> np.ndarray:
    """Reads each landmark at the highest point of its map.

    The highest cell and its two neighbours along an axis give the peak between them:
    the logarithm of a Gaussian is a parabola, whose vertex three points settle. At the
    border of the map, where a neighbour is missing, it is the centre of the cell.

    Args:
        belief_maps: float [N, height, width, points + 1]. One map per landmark, and the
            background's, which is not read.

    Returns:
        float32 [N, points, 3]: x and y in [0, 1] of the image, and as confidence the
        highest belief, clipped to [0, 1].
    """
    maps = np.asarray(belief_maps, np.float32)[..., :-1]
    count, height, width, points = maps.shape
    flat = maps.reshape(count, height * width, points)
    rows, columns = np.divmod(flat.argmax(axis=1), width)  # [N, points] each
    logarithms = np.log(np.maximum(maps, _EMPTY))
    image, point = np.arange(count)[:, None], np.arange(points)
    down = logarithms[image, :, columns, point]  # [N, points, height]: the column of each peak
    across = logarithms[image, rows, :, point]  # [N, points, width]
    x = (columns + 0.5 + _vertex(across, columns)) / width
    y = (rows + 0.5 + _vertex(down, rows)) / height
    return np.stack([x, y, flat.max(axis=1).clip(0.0, 1.0)], axis=-1).astype(np.float32)


def _vertex(lines: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Returns how far beside the highest of a line's cells its parabola peaks, in [-0.5, 0.5] cells."""
    last = lines.shape[-1] - 1
    before, here, after = (
        np.take_along_axis(lines, np.clip(highest + step, 0, last)[..., None], axis=-1)[..., 0] for step in (-1, 0, 1)
    )
    curvature = before - 2.0 * here + after
    inside = (highest > 0) & (highest < last) & (curvature < 0.0)
    return np.where(inside, 0.5 * (before - after) / np.where(inside, curvature, 1.0), 0.0)
