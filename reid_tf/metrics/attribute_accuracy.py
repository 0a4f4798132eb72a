"""How often attribute outputs are right, while they train; unknown labels do not count."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="reid_tf")
class BinaryAttributeAccuracy(keras.metrics.Mean):
    """Share of known sigmoid targets that are on the right side of one half.

    Args:
        name: str.
    """

    def __init__(self, name: str = "accuracy") -> None:
        super().__init__(name=name, dtype="float32")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch.

        Args:
            y_true: int [..., A]. 0, 1 or -1 for unknown.
            y_pred: float [..., A]. In [0, 1].
            sample_weight: ignored; every known target counts once.
        """
        targets = ops.cast(y_true, "int32")
        right = ops.equal(targets, ops.cast(ops.greater(y_pred, 0.5), "int32"))
        super().update_state(*_flat(right, targets))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name}


@keras.saving.register_keras_serializable(package="reid_tf")
class GroupAccuracy(keras.metrics.Mean):
    """Share of known attribute groups whose likeliest class is the true one.

    Args:
        group_sizes: ints [groups]. Classes of each group.
        name: str.
    """

    def __init__(self, group_sizes: tuple[int, ...], name: str = "accuracy") -> None:
        super().__init__(name=name, dtype="float32")
        self.group_sizes = tuple(group_sizes)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts a batch.

        Args:
            y_true: int [batch, groups]. Class indices, -1 for unknown.
            y_pred: float [batch, sum of sizes]. One softmax per group, side by side.
            sample_weight: ignored; every known group counts once.
        """
        classes = ops.cast(y_true, "int32")
        ends = [sum(self.group_sizes[: group + 1]) for group in range(len(self.group_sizes))]
        columns = ops.split(y_pred, ends[:-1], axis=-1)
        answers = ops.stack([ops.argmax(column, axis=-1) for column in columns], axis=-1)
        right = ops.equal(classes, ops.cast(answers, "int32"))
        super().update_state(*_flat(right, classes))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"group_sizes": list(self.group_sizes), "name": self.name}


def _flat(right: Any, labels: Any) -> tuple[Any, Any]:
    """Right answers and which count, as vectors; else `Mean` would first average over an image, known or not."""
    return ops.reshape(ops.cast(right, "float32"), (-1,)), ops.reshape(ops.cast(labels >= 0, "float32"), (-1,))
