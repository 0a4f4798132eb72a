"""An encoder from a finished run, or from an export."""

from pathlib import Path

from reid_tf.encoder.description import Description, read_manifest
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.exported import find_export, read_export
from reid_tf.encoder.runtimes.base import Runtime
from reid_tf.errors import InputError, require_package
from reid_tf.keras_file import MANIFEST_FILE, load_keras
from reid_tf.options import Component
from reid_tf.registry import DETECTORS, import_components, load_entry_points
from reid_tf.retrieval.calibration import CALIBRATION_FILE, Calibration
from reid_tf.retrieval.fingerprint import check_same_encoder


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
            is broken or another than was written, the runtime of the export's format is not installed, or the
            detector cannot be made.
    """
    folder = Path(run)
    export = None if (folder / MANIFEST_FILE).exists() else find_export(folder)
    runtime, known, calibration = read_export(export) if export else _read_run(folder)
    return Encoder(
        runtime,
        known.inputs,
        known.image_size,
        known.distance,
        flip=known.flip and not runtime.flips,
        attributes=known.coding,
        detector=DETECTORS.build(detector) if detector else None,
        normalize=known.normalize,
        calibration=calibration,
    ).folded()


def _read_run(run: Path) -> tuple[Runtime, Description, Calibration | None]:
    manifest = read_manifest(run)
    model, calibration = (run / name for name in ("encoder.keras", CALIBRATION_FILE))
    if manifest.encoder is None or not model.exists():
        raise InputError(f"The run {str(run)!r} holds no encoder: there is no {str(model)!r}.")
    require_package("tensorflow", repr(str(model)))
    from reid_tf.encoder.of_keras import of_keras_model

    load_entry_points()
    import_components(manifest.configuration.imports)
    runtime, _ = of_keras_model(load_keras(model), manifest.encoder.identity)
    manifest.encoder.check_runtime(runtime, str(run / MANIFEST_FILE))
    measured = Calibration.load(calibration) if calibration.exists() else None
    if measured is not None:
        own = manifest.encoder.fingerprint
        check_same_encoder(f"The calibration {str(calibration)!r}", measured.encoder, f"the run {str(run)!r}", own)
    return runtime, manifest.encoder, measured
