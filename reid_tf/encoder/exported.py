"""Exported encoders, found by their folder and run without the model that they were made of."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reid_tf.checksums import Checksum, check_files
from reid_tf.encoder.description import Description
from reid_tf.encoder.runtimes.base import Runtime
from reid_tf.encoder.runtimes.prescribed import PROFILES, PrescribedRuntime
from reid_tf.errors import InputError, require_package
from reid_tf.options import unknown
from reid_tf.pose.fields import need_landmarks
from reid_tf.retrieval.calibration import Calibration
from reid_tf.schema import read_json

EXPORT_FILE = "export.json"
LITERT_FILE, ONNX_FILE = "encoder.tflite", "encoder.onnx"


@dataclasses.dataclass(frozen=True)
class Export:
    """What is read of an `export.json`.

    Args:
        format: str. A format of `reid_tf.serving.export`.
        encoder: `Description`.
        calibration: dict of `Calibration.to_dict`, or None.
        checksums: dict from the name of each exported file to its `Checksum`; empty in
            exports of version 0.1.0.
        profile: str, or None. Whose input the files take.

    Raises:
        InputError: the format or the profile is unknown.
    """

    format: str
    encoder: Description
    calibration: dict[str, Any] | None
    checksums: dict[str, Checksum] = dataclasses.field(default_factory=dict)
    profile: str | None = None

    def __post_init__(self) -> None:
        if self.profile not in (None, *PROFILES):
            raise InputError(unknown("profile", str(self.profile), PROFILES))
        if self.kind not in _RUNTIMES:
            raise InputError(unknown("format", self.format, _RUNTIMES))

    @property
    def kind(self) -> str:
        """The format's first word: "litert-int8" is a file for "litert"."""
        return self.format.partition("-")[0]


def _saved_model(folder: Path, encoder: Description) -> Runtime:
    require_package("tensorflow", repr(str(folder)))
    from reid_tf.encoder.runtimes.saved_model import SavedModelRuntime

    return SavedModelRuntime(folder, encoder.identity, encoder.flip)


def _litert(folder: Path, encoder: Description) -> Runtime:
    from reid_tf.encoder.runtimes.litert import LiteRTRuntime

    return LiteRTRuntime(folder / LITERT_FILE, encoder.identity)


def _onnx(folder: Path, encoder: Description) -> Runtime:
    from reid_tf.encoder.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(folder / ONNX_FILE, encoder.identity)


_RUNTIMES: dict[str, Callable[[Path, Description], Runtime]] = {
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


def read_export(folder: Path) -> tuple[Runtime, Description, Calibration | None]:
    """Opens an exported encoder.

    A SavedModel makes part boxes and averages over mirror images by itself: it takes
    landmarks, and is to be asked once. A calibration is left out where it was measured
    on longer vectors than the unit vectors of the export, and the distance depends on
    their length.

    Args:
        folder: Path. Holds `export.json`.

    Returns:
        The runtime, its description, and the calibration or None.

    Raises:
        InputError: `export.json` or a file beside it is missing, broken or another than
            was written, the format is unknown, or its runtime is not installed.
    """
    path = folder / EXPORT_FILE
    export = read_json(path, Export)
    encoder = export.encoder
    calibration = Calibration.from_dict(export.calibration) if export.calibration else None
    check_files(folder, export.checksums, str(path))
    runtime = _RUNTIMES[export.kind](folder, encoder)
    if export.profile is not None:
        runtime = PrescribedRuntime(runtime)
    if export.kind == "savedmodel":
        landmarks = {"landmarks": "landmarks"} if need_landmarks(encoder.inputs.values()) else {}
        encoder = dataclasses.replace(encoder, inputs={"image": "image", **landmarks})
    encoder.check_runtime(runtime, str(path))
    if calibration and encoder.normalize and calibration.distance != "cosine":
        calibration = None
    return runtime, encoder, calibration
