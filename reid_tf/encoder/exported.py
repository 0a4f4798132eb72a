"""Exported encoders, found by their folder and run without the model that they were made of."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reid_tf.encoder.runtimes.base import Runtime
from reid_tf.errors import InputError, require_package
from reid_tf.pose.fields import need_landmarks
from reid_tf.retrieval.calibration import Calibration

EXPORT_FILE = "export.json"
LITERT_FILE, ONNX_FILE = "encoder.tflite", "encoder.onnx"

_DESCRIPTION = ("inputs", "image_size", "distance", "flip", "dim", "attributes", "normalize")  # of `Encoder.describe`


def _saved_model(folder: Path, dim: int) -> Runtime:
    require_package("tensorflow", repr(str(folder)))
    from reid_tf.encoder.runtimes.saved_model import SavedModelRuntime

    return SavedModelRuntime(folder, dim)


def _litert(folder: Path, dim: int) -> Runtime:
    from reid_tf.encoder.runtimes.litert import LiteRTRuntime

    return LiteRTRuntime(folder / LITERT_FILE, dim)


def _onnx(folder: Path, dim: int) -> Runtime:
    from reid_tf.encoder.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(folder / ONNX_FILE, dim)


# By the format's first word: "litert-int8" is a file for "litert".
_RUNTIMES: dict[str, Callable[[Path, int], Runtime]] = {
    "savedmodel": _saved_model,
    "litert": _litert,
    "onnx": _onnx,
}


def find_export(folder: Path) -> Path | None:
    """Finds the export that a path means.

    Args:
        folder: Path. An export folder, or the base path of a served model, whose newest
            version is meant.

    Returns:
        Path of the folder that holds `export.json`, or None where there is none.
    """
    if (folder / EXPORT_FILE).is_file():
        return folder
    versions = version_folders(folder)
    return versions[max(versions)] if versions else None


def version_folders(folder: Path) -> dict[int, Path]:
    """Returns the complete versions in the base path of a served model, by number."""
    found = folder.iterdir() if folder.is_dir() else ()
    return {
        int(path.name): path for path in found if re.fullmatch(r"\d+", path.name) and (path / EXPORT_FILE).is_file()
    }


def read_export(folder: Path) -> tuple[Runtime, dict[str, Any], Calibration | None]:
    """Opens an exported encoder.

    A SavedModel makes part boxes and averages over mirror images by itself: it takes
    landmarks, and is to be asked once. A calibration is left out where it was measured
    on longer vectors than the unit vectors of the export, and the distance depends on
    their length.

    Args:
        folder: Path. Holds `export.json`.

    Returns:
        The runtime, what else `Encoder` takes (as `Encoder.describe` gives it), and the
        calibration or None.

    Raises:
        InputError: `export.json` or the file beside it is missing or broken, the format
            is unknown, or its runtime is not installed.
    """
    try:
        export = json.loads((folder / EXPORT_FILE).read_text())
        kind, description = export["format"], {key: export["encoder"][key] for key in _DESCRIPTION}
        calibration = Calibration.from_dict(export["calibration"]) if export["calibration"] else None
        runtime = _RUNTIMES[kind.partition("-")[0]](folder, description["dim"])
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{str(folder / EXPORT_FILE)!r} does not describe an export: {error!r}.") from None
    if kind == "savedmodel":
        landmarks = {"landmarks": "landmarks"} if need_landmarks(description["inputs"].values()) else {}
        description |= {"inputs": {"image": "image", **landmarks}, "flip": False}
    if calibration and description["normalize"] and calibration.distance != "cosine":
        calibration = None
    return runtime, description, calibration
