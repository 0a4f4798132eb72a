"""An encoder from a finished run, or from an export."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.exported import find_export, read_export
from reid_tf.errors import InputError, require_package
from reid_tf.options import Component
from reid_tf.registry import DETECTORS, import_components, load_entry_points
from reid_tf.retrieval.calibration import CALIBRATION_FILE, Calibration

if TYPE_CHECKING:
    import keras


def load_encoder(run: str | Path, detector: Component | None = None) -> Encoder:
    """Loads the encoder of a finished run, or an exported one.

    The batch normalisations of a run's encoder are folded into the layers before them,
    as when the run was judged (see `Encoder.folded`). An encoder that was calibrated
    knows above which distance two images show two people.

    Args:
        run: str or Path. A run directory; an export folder of any format; or a version
            folder in one.
        detector: component, or None. Finds the landmarks of images that come without,
            where the encoder needs them:
            `{"name": "movenet", "model_file": ...}`.

    Returns:
        `Encoder`.

    Raises:
        InputError: the folder is missing, unfinished or holds no encoder, a file in it
            is broken, the runtime of the export's format is not installed, or the
            detector cannot be made.
    """
    folder = Path(run)
    export = None if (folder / "manifest.json").exists() else find_export(folder)
    model, description, calibration = read_export(export) if export else _read_run(folder)
    del description["dim"]
    if description.get("attributes"):
        description["attributes"] = AttributeCoding.from_dict(description["attributes"])
    finds = DETECTORS.build(detector) if detector else None
    return Encoder(model, **description, detector=finds, calibration=calibration).folded()


def _read_run(run: Path) -> tuple["keras.Model", dict[str, Any], Calibration | None]:
    manifest, model, calibration = (run / name for name in ("manifest.json", "encoder.keras", CALIBRATION_FILE))
    for path in (run, manifest):
        if not path.exists():
            raise InputError(f"{str(run)!r} is not a finished run: there is no {str(path)!r}.")
    if not model.exists():
        raise InputError(f"The run {str(run)!r} holds no encoder: there is no {str(model)!r}.")
    description = json.loads(manifest.read_text())
    require_package("tensorflow", repr(str(model)))
    import keras

    import reid_tf.layers  # noqa: F401 - saved encoders name these layers, and perhaps some of these components

    load_entry_points()
    import_components(description.get("configuration", {}).get("imports", ()))
    refuse_other_files(model)
    loaded = keras.models.load_model(model, compile=False)
    return loaded, description["encoder"], Calibration.load(calibration) if calibration.exists() else None
