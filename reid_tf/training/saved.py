"""Saved Keras models of this package, opened again with everything that their files name."""

import re
from pathlib import Path

import keras

import reid_tf.layers
import reid_tf.losses
import reid_tf.metrics
import reid_tf.training.optimizers
import reid_tf.training.schedules  # noqa: F401 - saved models name what these modules register
from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.errors import InputError, one_line
from reid_tf.registry import load_entry_points


def load_model(path: str | Path, compile: bool = True) -> keras.Model:
    """Opens a `.keras` file: a model with the package's layers and, where it was compiled, its losses and optimizer.

    A model that was saved after `System.compile` goes on training where it stopped. The
    files of a run directory hold no optimizer: compile those anew.

    Args:
        path: str or Path. What `model.save` wrote, or a file of a run directory.
        compile: bool. Whether the model is compiled as it was when it was saved.

    Returns:
        keras.Model.

    Raises:
        InputError: the file is missing or damaged, or names a class that nothing has
            registered.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no model file {str(path)!r}.")
    refuse_other_files(path)
    load_entry_points()
    try:
        return keras.models.load_model(path, compile=compile)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        unknown = re.search(r"Could not locate class '([^']+)'", str(error))
        if unknown:
            raise InputError(
                f"The model file {str(path)!r} names the class {unknown[1]!r}, which nothing has registered: import "
                "the module that defines it first (with keras.saving.register_keras_serializable)."
            ) from error
        reason = one_line(error, 300).rstrip(".")
        raise InputError(f"{str(path)!r} cannot be opened as a Keras model: {reason}.") from error
