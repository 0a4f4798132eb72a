"""Distillation: a small encoder learns whom a large one finds similar, in every batch."""

from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.losses.pairwise_distances import as_images, log_probabilities_of_others, normalized
from reid_tf.registry import METRIC_LOSSES


def similarity_divergence(teacher: Any, student: Any, temperature: float) -> Any:
    """How far the student's order of the other images is from the teacher's, for each image of a batch.

    The similarities of an image to all others, cosines over the temperature, are a
    softmax distribution for each of the two; this is the Kullback-Leibler divergence of
    the student's from the teacher's. Their dimensions need not agree.

    Args:
        teacher: float32 [images, any]. Embeddings.
        student: float32 [images, dim].
        temperature: float above 0. The smaller it is, the more the nearest images
            count.

    Returns:
        float32 [images], not negative; 0 where both orders agree.

    References:
        Passalis and Tefas, Learning Deep Representations with Probabilistic Knowledge
        Transfer, section 3; there with other kernels.
    """
    itself = ops.eye(ops.shape(student)[0], dtype="bool")
    wanted, given = (log_probabilities_of_others(normalized(part), temperature) for part in (teacher, student))
    terms = ops.where(itself, 0.0, ops.exp(wanted) * (wanted - given))
    return ops.sum(terms, axis=1)


@METRIC_LOSSES.register("distillation")
@keras.saving.register_keras_serializable(package="reid_tf")
class DistillationLoss(keras.losses.Loss):
    """`similarity_divergence` from a teacher's embeddings of the same images, beside another metric loss.

    A training of this package embeds its training images with the teacher once, as they
    are in their files, at the teacher's own image size.

    Args:
        teacher: str. A run directory or an export.
        temperature: float above 0.
        name: str.

    Raises:
        InputError: the temperature is not positive.
    """

    label = "teacher"
    ranking_distance = "cosine"

    def __init__(self, *, teacher: str, temperature: float = 0.1, name: str = "distillation") -> None:
        super().__init__(name=name, dtype="float32")
        if not temperature > 0:
            raise InputError(f"temperature must be above 0. Received: temperature={temperature}.")
        self.teacher, self.temperature = teacher, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The divergence of each image of the batch.

        Args:
            y_true: float [batch, any] or [batch, 2, any]. The teacher's embeddings.
            y_pred: float [batch, dim] or [batch, 2, dim]. Embeddings.

        Returns:
            float32 [batch] or [batch, 2].
        """
        values = similarity_divergence(as_images(y_true), as_images(y_pred), self.temperature)
        return ops.reshape(values, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"teacher": self.teacher, "temperature": self.temperature, "name": self.name}
