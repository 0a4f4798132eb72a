"""What a table says that turns another framework's weights into ours: one row per variable, and how its axes lie."""

import dataclasses
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reid_tf.layers.preprocessing import ChannelNormalization, imagenet_normalization

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How PyTorch, or Caffe, stores what one of our variables holds.

    Args:
        order: ints. Our axes in the order in which the file stores them.
        torch_shape: function from our shape to the shape of the file's tensor.
        part: (index, parts). Which of as many equal parts of the tensor's first axis
            the variable holds: a group of a grouped convolution.
    """

    order: tuple[int, ...]
    torch_shape: Callable[[Shape], Shape]
    part: tuple[int, int] = (0, 1)

    def convert(self, tensor: np.ndarray, shape: Shape) -> np.ndarray:
        """Returns a tensor of `torch_shape(shape)`, or its part, as an array of `shape`."""
        index, parts = self.part
        tensor = np.split(tensor, parts)[index]
        return tensor.reshape([shape[axis] for axis in self.order]).transpose(np.argsort(self.order))

    def of_group(self, index: int, groups: int) -> "Layout":
        """Returns the layout of one group, from 0, of a convolution that the file stores as a whole."""

        def whole_shape(shape: Shape) -> Shape:
            first, *rest = self.torch_shape(shape)
            return (groups * first, *rest)

        return Layout(self.order, whole_shape, (index, groups))


VECTOR = Layout((0,), lambda shape: shape)
# height, width, in, out  <-  out, in, height, width
CONVOLUTION = Layout((3, 2, 0, 1), lambda shape: (shape[3], shape[2], shape[0], shape[1]))
# height, width, channel, 1  <-  channel, 1, height, width
DEPTHWISE = Layout((2, 3, 0, 1), lambda shape: (shape[2], shape[3], shape[0], shape[1]))
# A dense layer here, a 1x1 convolution there: in, out  <-  out, in, 1, 1
DENSE_OF_1X1 = Layout((1, 0), lambda shape: (shape[1], shape[0], 1, 1))
# A convolution as large as the map here, a dense layer on the map flattened channel by channel there:
# height, width, in, out  <-  out, (in, height, width)
CONVOLUTION_OF_DENSE = Layout((3, 2, 0, 1), lambda shape: (shape[3], shape[2] * shape[0] * shape[1]))


class Row(NamedTuple):
    """One of our variables.

    Args:
        variable: str. Its path in the backbone, "conv1_conv/kernel".
        tensor: str. The name in the file.
        layout: `Layout`.
    """

    variable: str
    tensor: str
    layout: Layout


@dataclasses.dataclass(frozen=True)
class WeightTable:
    """Whose weights a backbone takes, and where each of them goes.

    Args:
        source: str. Whose they are, in words.
        rows: `Row`s, one for each variable of the backbone.
        left_out: strs. Patterns of names, such as "fc.*", that have no place in the
            backbone and need none.
        mark: a tensor's name and its shape, which tell the table from others of the
            same names.
        options: mapping. Options of the backbone that do not show in the weights'
            shapes, as these weights need them.
        preprocessing: function that makes what the weights expect as the first layer.
        layer_order: strs. Layers that must come in this order where the file says in
            which its layers come: they tell networks apart whose tensors do not.
    """

    source: str
    rows: Sequence[Row]
    left_out: tuple[str, ...]
    mark: tuple[str, Shape]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    preprocessing: Callable[[], ChannelNormalization] = imagenet_normalization
    layer_order: tuple[str, ...] = ()

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names in the file, each once: two variables may share a tensor."""
        return tuple(dict.fromkeys(row.tensor for row in self.rows))

    def has_no_place_for(self, name: str) -> bool:
        """Says whether a tensor is one of those that are left out on purpose."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.left_out)

    def fits(self, tensors: Mapping[str, np.ndarray]) -> bool:
        """Says whether a file has all the tensors that this table wants, the marked one in its shape."""
        name, shape = self.mark
        return all(tensor in tensors for tensor in self.tensors) and tensors[name].shape == shape
