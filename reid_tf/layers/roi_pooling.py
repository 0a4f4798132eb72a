"""RoI max pooling: what a box of an image holds, as a feature map of a fixed size."""

import math
from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError

# In rows of the map. A cell's border this near to a row's edge lies on it: a rounding error takes no further row in.
_TOLERANCE = 1e-4


def roi_max_pooling(features: Any, boxes: Any, grid: tuple[int, int]) -> Any:
    """Divides each box into a grid of cells and takes the maximum of each cell.

    A cell reaches from row floor(start) to row ceil(end) of the map, columns alike:
    neighbours may share a row, a cell holds at least one row and one column, and none
    reaches out of the map. Cells are separable, so the maximum over their rows is taken
    first and over their columns second: no map is copied for every cell. Where a box is
    smaller than its grid, cells repeat. A box without height or width is a single row
    or column; what lies outside of the image is cut off. The features get a gradient,
    the boxes none.

    Args:
        features: float [batch, height, width, channels].
        boxes: float [batch, 4]. Left, top, right, bottom in [0, 1] of the image,
            float32 for exact cells.
        grid: (rows, columns), both at least 1.

    Returns:
        [batch, rows, columns, channels], the dtype of `features`.

    References:
        Girshick, Fast R-CNN, section 2.1.
    """
    rows, columns = grid
    edges = ops.clip(ops.stop_gradient(ops.cast(boxes, "float32")), 0.0, 1.0)
    height, width, channels = features.shape[1:]
    # The maps as one list of rows [width, channels], then as one of columns [rows, channels].
    pooled = _maximum_of_cells(ops.reshape(features, (-1, width, channels)), edges[:, 1], edges[:, 3], height, rows)
    by_column = ops.reshape(ops.transpose(pooled, (0, 2, 1, 3)), (-1, rows, channels))
    pooled = _maximum_of_cells(by_column, edges[:, 0], edges[:, 2], width, columns)
    return ops.transpose(pooled, (0, 2, 1, 3))


def _maximum_of_cells(lines: Any, start: Any, end: Any, size: int, cells: int) -> Any:
    """Takes the maximum over the lines of each cell along one axis.

    Args:
        lines: float [batch * size, others, channels].
        start: float32 [batch]. Where the box begins, in [0, 1].
        end: float32 [batch]. Where it ends.
        size: int. Lines of an image.
        cells: int. Cells of a box.

    Returns:
        float [batch, cells, others, channels].
    """
    borders = ops.arange(cells + 1, dtype="float32")
    start, end = start[:, None], ops.maximum(start, end)[:, None]
    places = (start * (cells - borders) + end * borders) * (size / cells)  # [batch, cells + 1]
    first = ops.minimum(ops.cast(ops.floor(places[:, :-1] + _TOLERANCE), "int32"), size - 1)
    last = ops.minimum(ops.cast(ops.ceil(places[:, 1:] - _TOLERANCE), "int32"), size) - 1
    last = ops.maximum(first, last)
    # No cell has more lines than this; a shorter one repeats its last.
    steps = ops.arange(math.ceil(size / cells) + 1, dtype="int32")
    inside = ops.minimum(first[:, :, None] + steps, last[:, :, None])  # [batch, cells, steps]
    image = ops.arange(ops.shape(inside)[0], dtype="int32")[:, None, None]
    taken = ops.take(lines, image * size + inside, axis=0)
    return ops.max(taken, axis=2)


@keras.saving.register_keras_serializable(package="reid_tf")
class RoIMaxPooling(keras.layers.Layer):
    """`roi_max_pooling` as a layer.

    Boxes count in float32 whatever the precision policy is: in bfloat16 they would be
    off by up to a row of the map.

    Args:
        grid: (rows, columns), both at least 1.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        InputError: `grid` does not hold two numbers of at least 1.
    """

    def __init__(self, grid: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if len(grid) != 2 or min(grid) < 1:
            raise InputError(f"grid must hold two numbers of at least 1, (rows, columns). Received: grid={grid}.")
        self.grid = (int(grid[0]), int(grid[1]))

    def call(self, features: Any, boxes: Any) -> Any:
        """Pools.

        Args:
            features: float [batch, height, width, channels].
            boxes: float32 [batch, 4]. Left, top, right, bottom in [0, 1] of the image.

        Returns:
            [batch, rows, columns, channels], the dtype of `features`.
        """
        return roi_max_pooling(features, boxes, self.grid)

    def compute_output_spec(self, features: Any, boxes: Any) -> Any:
        """The grid for height and width; batch, channels and dtype of the features."""
        shape = (features.shape[0], *self.grid, features.shape[-1])
        return keras.KerasTensor(shape, dtype=features.dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "grid": self.grid}
