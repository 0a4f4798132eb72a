"""Average pooling in horizontal stripes: what is at the height of the head stays apart from what is at the feet's."""

import itertools
from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError


@keras.saving.register_keras_serializable(package="reid_tf")
class StripePooling(keras.layers.Layer):
    """The averages of a feature map over horizontal stripes, from the top down, one after another.

    Stripes are as high as one another where their number divides the height of the map,
    else they differ by one row.

    Args:
        stripes: int >= 1. One is the global average.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        InputError: `stripes` is below 1, or, when the layer is called first, the map
            has fewer rows.

    References:
        Sun et al., Beyond Part Models: Person Retrieval with Refined Part Pooling,
        section 3.1 (there with a classifier for each stripe).
    """

    def __init__(self, stripes: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if stripes < 1:
            raise InputError(f"stripes must be at least 1. Received: stripes={stripes}.")
        self.stripes = stripes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks that each stripe has a row."""
        rows = input_shape[1]
        if rows is None or rows < self.stripes:
            raise InputError(
                f"Pooling in {self.stripes} stripes needs a feature map of at least as many rows: take larger images "
                f"or a smaller stride. Received: a map of shape {tuple(input_shape)}."
            )

    def call(self, feature_map: Any) -> Any:
        """Pools.

        Args:
            feature_map: float [batch, h, w, channels].

        Returns:
            float [batch, stripes * channels].
        """
        rows = feature_map.shape[1]
        bounds = [index * rows // self.stripes for index in range(self.stripes + 1)]
        averages = [ops.mean(feature_map[:, top:bottom], axis=(1, 2)) for top, bottom in itertools.pairwise(bounds)]
        return ops.concatenate(averages, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns (batch, stripes * channels)."""
        return (input_shape[0], self.stripes * int(input_shape[-1] or 0))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "stripes": self.stripes}
