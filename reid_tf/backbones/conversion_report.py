"""What became of every tensor of a converted file, in lines of text."""

from reid_tf.backbones.conversion import Comparison
from reid_tf.backbones.state_dict import StateDict
from reid_tf.backbones.weight_table import WeightTable


def summary(table: WeightTable, state: StateDict, comparison: Comparison, shown: int | None = None) -> list[str]:
    """Counts, and the names of what is unused or missing.

    Args:
        table: `WeightTable`.
        state: `StateDict`.
        comparison: `Comparison` of the two.
        shown: int or None. Names a list; None shows all.

    Returns:
        Lines.
    """
    lines = [f"{state.path}, as {table.source}" + "".join(f"; {step}" for step in state.unwrapped)]
    lines.append(
        f"{len(comparison.used)} tensors used, {len(comparison.unused)} unused, {len(comparison.missing)} missing, "
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
