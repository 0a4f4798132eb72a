"""Detectors in ONNX and LiteRT files, whose inputs and outputs a JSON file beside them describes."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reid_tf.encoder.runtimes.base import read_export_file
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.footage.detectors import Detector
from reid_tf.footage.fitting import RESIZES, fit
from reid_tf.options import unknown
from reid_tf.retrieval.threads import cores
from reid_tf.schema import read_json

AXES, ORDERS, UNITS = ("last", "first"), ("rgb", "bgr"), ("pixels", "share")
BOXES = ("left_top_right_bottom", "top_left_bottom_right", "centre_size")

Outputs = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class DetectorFile:
    """What a detector's file takes and gives.

    Either `boxes` and `scores` name an output each, [1, N, 4] and [1, N] (the first axis
    may be missing), and `classes` perhaps a third; or `table` names one whose rows are a
    box and a score for each class.

    Args:
        file: str. The `.onnx` or `.tflite` file, beside the description or a whole path.
        image_size: (int, int). Height and width that frames are resized to.
        boxes: str, or None. Name of the output of boxes.
        scores: str, or None. Name of the output of scores in [0, 1].
        classes: str, or None. Name of the output of each box's class; None where there
            are only people.
        table: str, or None. Name of the output [1, N, 4 + classes].
        table_rows: str. "last" for [1, 4 + classes, N], as YOLOv8 has it, else "first".
        person: int. The class of people.
        box: str. One of `BOXES`.
        unit: str. "pixels" of the resized image, or "share" of its width and height.
        channels: str. Whether the axis of the channels is "last" or "first".
        order: str. "rgb" or "bgr".
        resize: str. One of `RESIZES`, as `fit()` takes it.
        mean: three floats. Subtracted from the channels, 0..255, where the file takes
            floats.
        standard_deviation: three floats above 0. What they are divided by.
        overlap: float in (0, 1], or None. Intersection over union from which the worse
            of two boxes is left out; None where the file does that itself.

    Raises:
        InputError: a value is not one of these, or the outputs are not named.
    """

    file: str
    image_size: tuple[int, int]
    boxes: str | None = None
    scores: str | None = None
    classes: str | None = None
    table: str | None = None
    table_rows: str = "first"
    person: int = 0
    box: str = "left_top_right_bottom"
    unit: str = "pixels"
    channels: str = "last"
    order: str = "rgb"
    resize: str = "letterbox"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    standard_deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    overlap: float | None = None

    def __post_init__(self) -> None:
        for name, allowed in (
            ("table_rows", AXES),
            ("box", BOXES),
            ("unit", UNITS),
            ("channels", AXES),
            ("order", ORDERS),
            ("resize", RESIZES),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(unknown(name, getattr(self, name), allowed))
        if min(*self.image_size, self.person + 1) < 1 or min(self.standard_deviation) <= 0:
            raise InputError(
                "'image_size' and 'standard_deviation' are above 0, 'person' is not below. "
                f"Received: {self.image_size}, {self.standard_deviation} and {self.person}."
            )
        if self.overlap is not None and not 0 < self.overlap <= 1:
            raise InputError(f"'overlap' must be above 0 and at most 1. Received: {self.overlap}.")
        if (self.table is None) == (self.boxes is None or self.scores is None):
            raise InputError(
                "A detector's outputs are 'boxes' and 'scores', or a 'table'. "
                f"Received: boxes={self.boxes!r}, scores={self.scores!r}, table={self.table!r}."
            )


def detector_file(path: str | Path) -> Detector:
    """Opens a detector.

    Args:
        path: str or Path. A JSON file with the fields of `DetectorFile`.

    Returns:
        function as `ssdlite()` returns it.

    Raises:
        InputError: a file is missing or damaged, lacks an output, takes another shape,
            or its runtime is not installed.
    """
    path = Path(path)
    described = read_json(path, DetectorFile)
    network = path.parent / described.file  # a whole path stays one
    runtimes = {".onnx": _onnx, ".tflite": _litert}
    if network.suffix not in runtimes:
        raise InputError(f"A detector's file is .onnx or .tflite. Received: {str(network)!r}.")
    wanted = [name for name in (described.boxes, described.scores, described.classes, described.table) if name]
    shape, given, run = runtimes[network.suffix](network)
    for name in wanted:
        if name not in given:
            raise InputError(f"{str(path)!r}: {unknown('output of the detector', name, given)}")
    size = described.image_size
    expected = (1, *size, 3) if described.channels == "last" else (1, 3, *size)
    if len(shape) != 4 or any(own not in (None, side) for own, side in zip(shape, expected, strict=True)):
        raise InputError(
            f"{str(network)!r} takes images {_shown(shape)} and {str(path)!r} says {_shown(expected)}: 'image_size' or "
            f"'channels' is wrong. Received: image_size={size}, channels={described.channels!r}."
        )

    def detect(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fitted = fit(frame, described.image_size, described.resize)
        boxes, scores = fitted.back(*_people(run(_prepared(fitted.image, described)), described, str(path)))
        kept = _apart(boxes, scores, described.overlap)
        return boxes[kept], scores[kept]

    return detect


def _prepared(image: np.ndarray, described: DetectorFile) -> np.ndarray:
    pixels = (image[..., ::-1] if described.order == "rgb" else image).astype(np.float32)
    mean, deviation = (np.array(values, np.float32) for values in (described.mean, described.standard_deviation))
    pixels = (pixels - mean) / deviation
    return np.ascontiguousarray(pixels if described.channels == "last" else pixels.transpose(2, 0, 1))[np.newaxis]


def _people(outputs: Outputs, described: DetectorFile, path: str) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of people, left, top, right, bottom in pixels of the resized image, and their scores."""
    if described.table is not None:
        table = _rows(outputs[described.table], 2)
        table = table.T if described.table_rows == "last" else table
        if table.shape[1] <= 4 + described.person:
            raise InputError(
                f"{path!r}: a row of the table {described.table!r} is a box and a score per class; there is none of "
                f"class {described.person}. Received: {table.shape[1]} columns."
            )
        boxes, classes = table[:, :4], table[:, 4:]
        scores = classes[:, described.person]
        is_person = classes.argmax(axis=1) == described.person
    else:
        boxes, scores = _rows(outputs[str(described.boxes)], 2), _rows(outputs[str(described.scores)], 1)
        kinds = np.full(len(scores), described.person)
        if described.classes is not None:
            kinds = np.round(_rows(outputs[described.classes], 1))
        if boxes.shape != (len(scores), 4) or kinds.shape != scores.shape:
            raise InputError(
                f"{path!r}: a detector gives boxes [N, 4] and as many scores and classes. Received: "
                f"{list(boxes.shape)}, {list(scores.shape)} and {list(kinds.shape)}."
            )
        is_person = kinds == described.person
    boxes, scores = boxes[is_person], scores[is_person]
    if described.unit == "share":
        boxes = boxes * np.tile(described.image_size[:: -1 if described.box != BOXES[1] else 1], 2)
    if described.box == "top_left_bottom_right":
        boxes = boxes[:, [1, 0, 3, 2]]
    elif described.box == "centre_size":
        boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
    return boxes, scores


def _rows(output: np.ndarray, axes: int) -> np.ndarray:
    """An output without its batch axis, where it has one."""
    values = np.asarray(output, np.float64)
    return values[0] if values.ndim == axes + 1 and len(values) == 1 else values


def _apart(boxes: np.ndarray, scores: np.ndarray, overlap: float | None) -> np.ndarray:
    if overlap is None or not len(boxes):
        return np.arange(len(boxes))
    placed = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    return np.asarray(cv2.dnn.NMSBoxes(placed.tolist(), scores.tolist(), 0.0, overlap), np.int64).reshape(-1)


Opened = tuple[tuple[int | None, ...], list[str], Callable[[np.ndarray], Outputs]]


def _onnx(path: Path) -> Opened:
    from reid_tf.encoder.runtimes.onnx import OnnxRuntime

    runtime = OnnxRuntime(path)
    ((name, shape),) = runtime.input_shapes.items()
    names = list(runtime.output_widths)
    return shape, names, lambda image: runtime({name: image}, names)


def _litert(path: Path) -> Opened:
    require_package("ai-edge-litert", repr(str(path)))
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=read_export_file(path), num_threads=cores())
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = one_line(error).rstrip(".")
        raise InputError(f"{str(path)!r} is not a valid TensorFlow Lite file of a detector ({reason}).") from None
    (taken,) = interpreter.get_input_details()
    details = {detail["name"]: detail for detail in interpreter.get_output_details()}

    def run(image: np.ndarray) -> Outputs:
        interpreter.set_tensor(taken["index"], _quantized(image, taken))
        interpreter.invoke()
        return {name: _numbers(interpreter.get_tensor(detail["index"]), detail) for name, detail in details.items()}

    return tuple(map(int, taken["shape"])), list(details), run


def _quantized(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    """Numbers as a tensor takes them: where it is quantised, by its scale; plain bytes are grey values."""
    scale, zero = detail["quantization"]
    if np.issubdtype(detail["dtype"], np.integer):
        low, high = np.iinfo(detail["dtype"]).min, np.iinfo(detail["dtype"]).max
        values = np.clip(np.round(values / scale + zero if scale else values), low, high)
    return values.astype(detail["dtype"])


def _numbers(values: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    return np.asarray((values.astype(np.float32) - zero) * scale if scale else values)


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('?' if side is None else str(side) for side in shape)}]"
