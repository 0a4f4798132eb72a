"""A run and an export that version 0.1.0 wrote, and the vectors that it gave: they open, and give them still."""

from pathlib import Path

import numpy as np
import pytest

import reid_tf
from reid_tf.registry import MODELS

FOLDER = Path(__file__).parent / "version_0_1"


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, 20, 3), np.uint8) for height in (32, 50, 17)]


@pytest.mark.parametrize("kind", ["run", "export"])
def test_encoders_of_then_give_the_vectors_of_then(kind):
    encoder = reid_tf.load_encoder(FOLDER / kind)
    assert (encoder.image_size, encoder.distance, encoder.flip) == ((32, 16), "cosine", True)
    np.testing.assert_allclose(encoder(pictures()), np.load(FOLDER / "vectors.npy"), rtol=1e-4, atol=1e-4)


def test_configurations_of_then_are_read():
    config = reid_tf.load_config(FOLDER / "run" / "config.yaml")
    assert MODELS.options(config.model)["metric_loss"] == {"name": "triplet", "margin": "soft"}
    assert reid_tf.load_model(FOLDER / "run" / "encoder.keras").output["embedding"].shape == (None, 6)
