"""What a SavedModel would run, looked through before it is opened: an encoder calculates, and does nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry  # no public function says which operations have a state

from reid_tf.errors import InputError

# Of the operations with a state or an effect, those that a network and the reading of its images need. All others are
# refused unseen: what writes files or standard output, asks a network, runs Python, or belongs to a kind of hardware.
_EFFECTS = {
    "Assert", "AssignVariableOp", "DatasetToSingleElement", "DisableCopyOnRead", "If", "Placeholder", "ReadVariableOp",
    "StatefulPartitionedCall", "TensorArrayV3", "TensorDataset", "TensorSliceDataset", "VarHandleOp", "While",
}  # fmt: skip
# By these TensorFlow Serving reads the weights, and a program saves the model again.
_OF_SAVERS = {"MergeV2Checkpoints", "RestoreV2", "SaveV2"}
# TensorFlow counts these as free of effects, and they read files or send elsewhere what passes through them.
_HIDDEN = re.compile(
    r"ReadFile|MatchingFiles|PyFuncStateless|DecodeProtoV2|EncodeProto|GenerateVocabRemapping|InitializeTable.*|Debug.*|"
    r"Copy(Host)?|CustomAggregator|CacheDataset|.*Snapshot.*Dataset.*|RegisterDataset|.*FromGraph.*|XlaCustomCall.*"
)


def check_operations(folder: Path) -> None:
    """Refuses a SavedModel with operations on files, networks or Python.

    Args:
        folder: Path. Holds `saved_model.pb`.

    Raises:
        InputError: it holds none that can be read, or another form of it that
            TensorFlow would read instead, or such an operation.
    """
    path, instead = folder / "saved_model.pb", folder / "saved_model.cpb"
    if instead.exists():
        raise InputError(f"A SavedModel in pieces is not opened. Received: {str(instead)!r}.")
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise InputError(f"{str(folder)!r} is not a valid SavedModel of an encoder ({error}).") from None
    for graph in model.meta_graphs:
        for operation in sorted(set(_operations(graph))):
            raise InputError(
                f"{str(folder)!r} holds the operation {operation!r}, and a SavedModel that can reach files, a network "
                "or Python is not opened as an encoder: it would run as a program does."
            )


def _operations(graph: Any) -> Iterator[str]:
    """The operations that an encoder may not hold."""
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    savers = _saving_functions(graph)
    for name, nodes in [("", graph.graph_def.node), *functions.items()]:
        allowed = _EFFECTS | _OF_SAVERS if name in savers else _EFFECTS
        for node in nodes:
            if node.op not in functions and node.op not in allowed and _has_effects(node.op):
                yield node.op


def _has_effects(operation: str) -> bool:
    known = op_def_registry.get(operation)
    return known is None or known.is_stateful or _HIDDEN.fullmatch(operation) is not None


def _saving_functions(graph: Any) -> set[str]:
    """Names of the functions that save and restore the weights, and are called for nothing else."""
    places = (graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name)
    savers = {place.partition(":")[0] for place in places}
    savers -= {_node_of(tensor) for signature in graph.signature_def.values() for tensor in signature.outputs.values()}
    nodes = [node for function in graph.graph_def.library.function for node in function.node_def]
    nodes += [node for node in graph.graph_def.node if node.name not in savers]
    otherwise = {name for node in nodes for name in _called(node)} | set(graph.object_graph_def.concrete_functions)
    for each in graph.object_graph_def.nodes:
        otherwise.update(each.function.concrete_functions)
        otherwise.add(each.bare_concrete_function.concrete_function_name)
    return {name for node in graph.graph_def.node if node.name in savers for name in _called(node)} - otherwise


def _node_of(tensor: Any) -> str:
    name: str = tensor.name
    return name.partition(":")[0]


def _called(node: Any) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
