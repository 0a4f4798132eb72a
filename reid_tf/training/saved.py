"""Saved Keras models of this package, opened again with everything that their files name."""

from pathlib import Path

import keras

import reid_tf.losses
import reid_tf.metrics
import reid_tf.training.optimizers
import reid_tf.training.schedules  # noqa: F401 - saved models name what these modules register
from reid_tf.keras_file import load_keras
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
        InputError: the file is missing, damaged or, in a run directory, another than
            was written, or names a class that nothing has
            registered.
    """
    load_entry_points()
    return load_keras(path, compile)
