"""Images that show no person well, told by how unsure a model is of their attributes."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_tf.errors import InputError
from reid_tf.files import written_beside


def junk_scores(outputs: np.ndarray) -> np.ndarray:
    """Sums the squares of an image's attribute outputs; a low score hints at junk or a distractor.

    With one softmax per group the sum lies between the sum of 1 / classes, where every
    class of each group seems equally likely, and the number of groups, where the model
    is certain. With sigmoids, which are low for whatever is absent, a plainly dressed
    person scores low too. Compare the scores of one model only.

    Args:
        outputs: float [N, size of the coding]. Attribute outputs, in [0, 1].

    Returns:
        float32 [N].

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, section 2.1.
    """
    return np.square(np.asarray(outputs, np.float32)).sum(axis=1)


def write_junk_scores(path: str | Path, names: Sequence[str], scores: np.ndarray) -> None:
    """Writes the columns `image` and `score`, likely junk first; equal scores are sorted by name.

    Args:
        path: str or Path. The CSV file; it is complete or absent at this name.
        names: sequence of N str. The images.
        scores: float [N]. What `junk_scores()` gave.

    Raises:
        InputError: there are more or fewer names than scores.
    """
    if len(names) != len(scores):
        raise InputError(f"Junk scores need one name per score. Received: {len(names)} names, {len(scores)} scores.")
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "score"))
        for score, name in sorted(zip(np.asarray(scores).tolist(), names, strict=True)):
            writer.writerow((name, f"{score:.6f}"))
