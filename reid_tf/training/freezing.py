"""A backbone that stays as it is while what is built on it begins to learn."""

from collections.abc import Sequence
from typing import Any

import keras


class FreezeBackbone(keras.callbacks.Callback):
    """Leaves the backbone alone up to an epoch: neither weights nor normalisation statistics change until then.

    Its batch normalisation then uses the statistics that it has, and no gradient is
    calculated for it. Optimizer and learning rate go on as if nothing happened: the
    optimizer knows all variables, and a step may update some of them. After the
    training everything is trainable again.

    Args:
        backbone: keras.Models. The backbone, and copies of its parts.
        until: int. The first epoch, counted from 0 as Keras does, in which it learns;
            up to the first epoch of a training, nothing is frozen.
    """

    def __init__(self, backbone: Sequence[keras.Model], until: int) -> None:
        super().__init__()
        # Not the models themselves: that would in the end thaw layers which have never been trainable.
        self.layers = [layer for part in backbone for layer in part.layers if layer.trainable]
        self.until, self.frozen = until, False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Freezes or thaws, where this epoch differs from the one before."""
        self._set(epoch < self.until)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Thaws what no epoch has thawed."""
        self._set(False)

    def _set(self, frozen: bool) -> None:
        if frozen == self.frozen:
            return
        self.frozen = frozen
        for layer in self.layers:
            layer.trainable = not frozen
        # Keras looks at what is trainable while it traces a step, and keeps what it has traced.
        self.model.make_train_function(force=True)
