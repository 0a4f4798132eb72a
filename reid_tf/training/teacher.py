"""The encoder that a distillation learns from."""

import logging
from collections.abc import Sequence

import numpy as np

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.losses.distillation import DistillationLoss
from reid_tf.models.system import System

logger = logging.getLogger(__name__)


class Teacher:
    """An encoder whose vectors of the training images are made once.

    Args:
        encoder: `Encoder`.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self._made: tuple[list[str], np.ndarray] | None = None

    def vectors(self, records: Sequence[Record]) -> np.ndarray:
        """Returns float32 [records, dim]; the same images are embedded once."""
        paths = [record.path for record in records]
        if self._made is None or self._made[0] != paths:
            logger.info("the teacher embeds %s training images", f"{len(paths):,}")
            self._made = paths, embed(self.encoder, records, verbose=0).vectors
        return self._made[1]


def teacher_of(system: System, dataset: ReIDDataset) -> Teacher | None:
    """Opens the encoder that a system's distillation names.

    Args:
        system: `System`.
        dataset: `ReIDDataset`. Its training images are to be embedded; none is read.

    Returns:
        `Teacher`, or None where no loss is a distillation.

    Raises:
        InputError: the encoder cannot be opened, or sees what the images lack.
    """
    names = [loss.teacher for loss in system.losses.values() if isinstance(loss, DistillationLoss)]
    if not names:
        return None
    encoder = load_encoder(names[0])
    lacking = sum(record.landmarks is None for record in dataset.train)
    if encoder.needs_landmarks and lacking:
        raise InputError(
            f"The teacher {names[0]!r} sees {' and '.join(sorted(set(encoder.inputs.values())))}, and {lacking} of "
            f"{len(dataset.train)} training images have no landmarks."
        )
    return Teacher(encoder)
