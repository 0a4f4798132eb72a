"""A run's verifier, asked about pairs of embeddings."""

from pathlib import Path

import keras
import numpy as np

import reid_tf.layers  # noqa: F401 - saved verifiers name these layers
from reid_tf.progress import progress_bar
from reid_tf.retrieval.embeddings import row_blocks
from reid_tf.retrieval.verification_pairs import VerificationPairs

_BLOCK_BYTES = 64 * 2**20


def load_verifier(run: str | Path) -> keras.Model | None:
    """Loads the verifier of a finished run.

    Args:
        run: str or Path. A run directory.

    Returns:
        keras.Model as in `System.verifier`, or None where the run's model has none.
    """
    path = Path(run) / "verifier.keras"
    return keras.models.load_model(path, compile=False) if path.exists() else None


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
