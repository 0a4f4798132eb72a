"""How much a box can tell of somebody: its size, its sharpness, and what of it is hidden or cut off."""

import cv2
import numpy as np

TALL = 128.0  # pixels from which more height adds nothing
SHARP = 60.0  # variance of the Laplacian, at `TALL` pixels, at which sharpness is a half


def hidden_shares(edges: np.ndarray) -> np.ndarray:
    """Returns how much of each box nearer people hide.

    Whose feet are lower in the picture is nearer.

    Args:
        edges: float [N, 4]. Left, top, right, bottom of all boxes of one frame.

    Returns:
        float64 [N] in [0, 1]: the largest share of a box that one nearer box covers.
    """
    if not len(edges):
        return np.zeros(0)
    left, top, right, bottom = edges.T
    across = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    down = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    covered = np.clip(across, 0, None) * np.clip(down, 0, None)
    is_nearer = bottom[None, :] > bottom[:, None]
    area = np.maximum((right - left) * (bottom - top), 1e-9)
    return np.asarray(np.clip((covered * is_nearer).max(axis=1) / area, 0, 1))


def quality(crop: np.ndarray, hidden: float, is_cut_off: bool) -> float:
    """Judges a crop.

    Args:
        crop: uint8 [height, width, 3].
        hidden: float in [0, 1]. As `hidden_shares()` gives it.
        is_cut_off: bool. Whether the box touches the frame's border.

    Returns:
        float in [0, 1], the product of: height over 128 pixels, at most 1; v / (v + 60)
        of the variance v of the Laplacian at that height; the share that is not hidden;
        and a half if it is cut off.
    """
    height, width = crop.shape[:2]
    scaled = cv2.resize(crop, (max(1, round(width * TALL / height)), int(TALL)), interpolation=cv2.INTER_AREA)
    variance = float(cv2.Laplacian(cv2.cvtColor(scaled, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())
    return min(1.0, height / TALL) * variance / (variance + SHARP) * (1 - hidden) * (0.5 if is_cut_off else 1.0)
