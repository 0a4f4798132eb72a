"""Pairs of embeddings: how well the distance, and a run's verifier, tell whether they show one person."""

from pathlib import Path

import keras
import numpy as np

from reid_tf.keras_file import load_keras
from reid_tf.progress import progress_bar
from reid_tf.retrieval.embeddings import row_blocks
from reid_tf.retrieval.verification_metrics import VerificationMetrics, verification_metrics
from reid_tf.retrieval.verification_pairs import VerificationPairs

_BLOCK_BYTES = 64 * 2**20


def load_verifier(run: str | Path) -> keras.Model | None:
    """Loads the verifier of a finished run.

    Args:
        run: str or Path. A run directory.

    Returns:
        keras.Model as in `System.verifier`, or None where the run's model has none.

    Raises:
        InputError: the file is damaged, or another than was written.
    """
    path = Path(run) / "verifier.keras"
    return load_keras(path) if path.exists() else None


def verifier_probabilities(
    verifier: keras.Model, vectors: np.ndarray, pairs: VerificationPairs, verbose: int = 1
) -> np.ndarray:
    """Asks a verifier how likely each pair of images shows one person, in blocks of 64 MB of embeddings.

    Args:
        verifier: keras.Model as in `System.verifier`.
        vectors: float32 [N, D]. The embeddings of the images.
        pairs: `VerificationPairs`.
        verbose: int. 1 shows progress, 0 nothing.

    Returns:
        float32 [P].
    """
    verifier.jit_compile = False  # as in `Encoder`
    probabilities = np.empty(len(pairs), np.float32)
    at_once = max(1, _BLOCK_BYTES // (2 * vectors[0].nbytes))
    with progress_bar(
        what="verifying", unit="pair", total=len(pairs), shown=bool(verbose), unit_scale=True
    ) as progress:
        for rows in row_blocks(len(pairs), at_once):
            both = {"embedding_a": vectors[pairs.first[rows]], "embedding_b": vectors[pairs.second[rows]]}
            probabilities[rows] = verifier.predict_on_batch(both)["probability"][:, 0]
            progress.update(rows.stop - rows.start)
    return probabilities


def measure_verification(
    vectors: np.ndarray,
    pairs: VerificationPairs,
    distance: str,
    distances: np.ndarray,
    verifier: keras.Model | None = None,
    verbose: int = 1,
) -> dict[str, VerificationMetrics]:
    """Measures how well pairs of one person are told from pairs of two.

    Args:
        vectors: float32 [N, D]. The embeddings of the images.
        pairs: `VerificationPairs`.
        distance: str. What `distances` measures, as in `distance_blocks`.
        distances: float32 [P]. Of the pairs.
        verifier: keras.Model as in `System.verifier`, or None.
        verbose: int. 1 shows progress, 0 nothing.

    Returns:
        dict from what was compared to its `VerificationMetrics`: the distance first
        and, where there is a verifier, one minus its probability.
    """
    compared = {f"{distance.replace('_', ' ')} distance": distances}
    if verifier is not None:
        compared["1 - verifier's probability"] = 1 - verifier_probabilities(verifier, vectors, pairs, verbose)
    return {
        name: verification_metrics(values[pairs.genuine], values[~pairs.genuine]) for name, values in compared.items()
    }
