"""A table, applied: the weights of another framework's network become ours, and a report of every tensor."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from reid_tf.backbones.weights.caffe_tables import CAFFE_TABLES, OPENPOSE_COCO
from reid_tf.backbones.weights.provenance import Provenance, write_provenance
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.backbones.weights.table import Row, WeightTable
from reid_tf.backbones.weights.torch_tables import OTHER_TABLES, TABLES
from reid_tf.errors import InputError
from reid_tf.files import WeightsInMemory
from reid_tf.options import unknown
from reid_tf.registry import BACKBONES

IMAGE_SIZE = (227, 227)  # any will do that is no smaller: no network enlarges it, and says so


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Every tensor of a file and of a table.

    Args:
        used: rows whose tensor the file has.
        left_out: strs. Tensors that have no place in the backbone on purpose: a
            classifier, counters.
        unused: strs. Tensors that the table does not know.
        missing: strs. Tensors that the file lacks.
    """

    used: tuple[Row, ...]
    left_out: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]


def weight_table(backbone: str, tensors: Mapping[str, np.ndarray]) -> WeightTable:
    """Chooses the table by which a backbone takes the weights of a file.

    Args:
        backbone: str. A registered backbone that has a table.
        tensors: mapping from name to array. What the file holds.

    Returns:
        `WeightTable`: of PyTorch's and Caffe's, the one that finds most of its tensors.

    Raises:
        InputError: the backbone has no table; the message names the nearest that has
            one.
    """
    tables = [tables[backbone] for tables in (TABLES, OTHER_TABLES, CAFFE_TABLES) if backbone in tables]
    if not tables:
        raise InputError(unknown("backbone with weights of PyTorch or Caffe", backbone, {**TABLES, **CAFFE_TABLES}))
    return max(tables, key=lambda table: sum(name in tensors for name in table.tensors))


def compare(table: WeightTable, tensors: Mapping[str, np.ndarray]) -> Comparison:
    """Compares the names of a file's tensors with those of a table."""
    wanted = table.tensors
    others = [name for name in tensors if name not in wanted]
    return Comparison(
        used=tuple(row for row in table.rows if row.tensor in tensors),
        left_out=tuple(name for name in others if table.has_no_place_for(name)),
        unused=tuple(name for name in others if not table.has_no_place_for(name)),
        missing=tuple(name for name in wanted if name not in tensors),
    )


def fill(model: keras.Model, table: WeightTable, state: StateDict) -> Comparison:
    """Gives a network the weights of a state dict and the preprocessing that they expect; all of it, or nothing.

    Args:
        model: keras.Model. The backbone of the table, built with `table.options`, or a
            model with such a backbone inside.
        table: `WeightTable`.
        state: `StateDict`.

    Returns:
        `Comparison`; tensors that the table does not know are in it.

    Raises:
        InputError: a tensor is missing, of another shape or not numbers with fractions,
            or the file is another network's. The model is as it was.
    """
    comparison = _fitting_comparison(table, state)
    rows = {row.variable: row for row in table.rows}
    if rows.keys() != {variable.path for variable in model.weights}:
        raise InputError(f"The table of {table.source} is not that of the network {model.name!r}.")
    hint = _hint(table, state.tensors)
    values = [(variable, _value(rows[variable.path], state, tuple(variable.shape), hint)) for variable in model.weights]
    for variable, value in values:
        variable.assign(value)
    backbone = next((layer for layer in model.layers if isinstance(layer, keras.Model)), model)
    backbone.get_layer("preprocessing").adopt(table.preprocessing())
    return comparison


def convert_weights(backbone: str, state: StateDict, out: str | Path, fingerprint: str = "") -> Comparison:
    """Writes the weights of another framework's network as a file for a backbone's option `weights`.

    The file says what its weights expect: `load_weights` gives the backbone their
    preprocessing, and refuses them where the backbone is configured to be another
    function.

    Args:
        backbone: str. A registered backbone that has a table.
        state: `StateDict`, as `read_state_dict` gives it.
        out: str or Path. The `.weights.h5` file to write.
        fingerprint: str. What `Provenance` keeps under this name.

    Returns:
        `Comparison`.

    Raises:
        InputError: the backbone has no table, the weights do not fit, or `out` has
            another suffix.
    """
    table = weight_table(backbone, state.tensors)
    if not str(out).endswith(".weights.h5"):
        raise InputError(f"The file of converted weights must be named *.weights.h5. Received: {str(out)!r}.")
    _fitting_comparison(table, state)  # before a large model is built in vain
    model = BACKBONES.build({"name": backbone, **table.options}, image_size=IMAGE_SIZE)
    comparison = fill(model, table, state)
    weights = WeightsInMemory(model)
    write_provenance(weights, Provenance(backbone, table.source, table.options, fingerprint))
    weights.write_to(out)
    return comparison


def _fitting_comparison(table: WeightTable, state: StateDict) -> Comparison:
    """Returns the comparison of the names, or raises `InputError` where they are another network's."""
    comparison, hint = compare(table, state.tensors), _hint(table, state.tensors)
    if comparison.missing:
        raise InputError(
            f"The file {state.path!r} does not hold the weights of {table.source}: it lacks {len(comparison.missing)} "
            f"of the {len(table.tensors)} tensors, the first being {comparison.missing[0]!r}{hint}."
        )
    # A tensor in a part that the network has, but not there, is a deeper or another network's.
    parts = {row.tensor.partition(".")[0] for row in table.rows}
    foreign = [name for name in comparison.unused if hint or name.partition(".")[0] in parts]
    if foreign:
        raise InputError(
            f"The file {state.path!r} does not hold the weights of {table.source}: {len(foreign)} of its "
            f"tensors do not belong to that network, the first being {foreign[0]!r}{hint}."
        )
    places = [state.layers.index(layer) for layer in table.layer_order if layer in state.layers]
    if places != sorted(places):
        order = ", ".join(state.layers[place] for place in sorted(places))
        raise InputError(
            f"The file {state.path!r} holds tensors as those of {table.source}, but of another network, whose layers "
            f"come as {order} instead of {', '.join(table.layer_order)}."
        )
    return comparison


def _hint(table: WeightTable, tensors: Mapping[str, np.ndarray]) -> str:
    """Names the backbone whose table finds the most of a file's tensors, unless it is the one of `table`."""
    every = [
        (f"backbone {name!r}", other)
        for tables in (TABLES, OTHER_TABLES, CAFFE_TABLES)
        for name, other in tables.items()
    ]
    every.append(("detector 'cpm'", OPENPOSE_COCO))
    fitting = [(name, other) for name, other in every if other.fits(tensors)]
    if not fitting:
        return ""
    name, best = max(fitting, key=lambda entry: len(entry[1].tensors))
    return "" if best is table else f"; it fits the {name}"


def _value(row: Row, state: StateDict, shape: tuple[int, ...], hint: str) -> np.ndarray:
    """Returns what a row's variable takes, of `shape`."""
    tensor, wanted = state.tensors[row.tensor], row.layout.torch_shape(shape)
    if tensor.shape != wanted or tensor.dtype != np.float32:
        raise InputError(
            f"The tensor {row.tensor!r} of {state.path!r} must be float of shape {wanted}. "
            f"Received: {tensor.dtype} of shape {tensor.shape}{hint}."
        )
    return row.layout.convert(tensor, shape)


def summary(table: WeightTable, state: StateDict, comparison: Comparison, shown: int | None = None) -> list[str]:
    """Counts, and the names of what is unused or missing.

    Args:
        table: `WeightTable`.
        state: `StateDict`.
        comparison: `Comparison` of the two.
        shown: int or None. Names per list; None shows all.

    Returns:
        Lines.
    """
    lines = [f"{state.path}, as {table.source}" + "".join(f"; {step}" for step in state.unwrapped)]
    used = len(table.tensors) - len(comparison.missing)
    lines.append(
        f"{used} tensors used, {len(comparison.unused)} unused, {len(comparison.missing)} missing, "
        f"{len(comparison.left_out)} left out on purpose ({', '.join(table.left_out)})"
    )
    for what, names in (("unused", comparison.unused), ("missing", comparison.missing)):
        lines += [f"{what}: {name}" for name in names[:shown]]
        if shown is not None and len(names) > shown:
            lines.append(f"{what}: {len(names) - shown} more")
    return lines


def every_tensor(state: StateDict, comparison: Comparison) -> list[str]:
    """Each tensor that is used, with its shape and the variable that it becomes, and each that is left out.

    Args:
        state: `StateDict`.
        comparison: `Comparison` with it.

    Returns:
        Lines.
    """
    used = [f"used: {row.tensor} {state.tensors[row.tensor].shape} -> {row.variable}" for row in comparison.used]
    return used + [f"left out: {name} {state.tensors[name].shape}" for name in comparison.left_out]
