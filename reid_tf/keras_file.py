"""The one way in which `.keras` files are opened: unchanged, in Keras' safe mode, and with this package's layers."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tf.checksums import Checksum, check_files
from reid_tf.errors import InputError, one_line
from reid_tf.schema import read_json

if TYPE_CHECKING:
    import keras

MANIFEST_FILE = "manifest.json"


@dataclasses.dataclass(frozen=True)
class _Manifest:
    """What a run's manifest says of its model files; nothing in version 0.1.0."""

    checksums: dict[str, Checksum] = dataclasses.field(default_factory=dict)


def load_keras(path: str | Path, compile: bool = False) -> "keras.Model":
    """Opens a `.keras` file; one of a run directory is compared with the manifest beside it.

    Args:
        path: str or Path. What `model.save` wrote.
        compile: bool. Whether the model is compiled as it was when it was saved.

    Returns:
        keras.Model.

    Raises:
        InputError: the file is missing, damaged or another than the run wrote, or names
            a class that nothing has registered.
    """
    import keras

    import reid_tf.layers  # noqa: F401 - saved models name these layers
    from reid_tf.datasets.readers.hdf5 import refuse_other_files

    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no model file {str(path)!r}.")
    _check_unchanged(path)
    refuse_other_files(path)
    try:
        return keras.models.load_model(path, compile=compile)
    except Exception as error:  # of a damaged file it can be anything
        unknown = re.search(r"Could not locate class '([^']+)'", str(error))
        if unknown:
            raise InputError(
                f"The model file {str(path)!r} names the class {unknown[1]!r}, which nothing has registered: import "
                "the module that defines it first (with keras.saving.register_keras_serializable)."
            ) from error
        reason = one_line(error, 300).rstrip(".")
        raise InputError(
            f"{str(path)!r} cannot be opened as a Keras model: {reason or type(error).__name__}."
        ) from error


def _check_unchanged(path: Path) -> None:
    manifest = path.parent / MANIFEST_FILE
    known = read_json(manifest, _Manifest).checksums if manifest.is_file() else {}
    check_files(path.parent, {name: checksum for name, checksum in known.items() if name == path.name}, str(manifest))
