"""Moving averages of the weights, which the optimizers keep: judged, saved and kept in the weights' place.

Each step goes on from the weights themselves. Normalisation statistics are not
averaged: they are moving averages already, and averaging them again changed the mAP of
short runs by half a point, up or down.
"""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Lets a model in training have the averages of its weights for a while; without averages nothing happens.

    Args:
        model: keras.Model, compiled.
    """
    exchange_averages(model)
    try:
        yield
    finally:
        exchange_averages(model)


def exchange_averages(model: keras.Model) -> None:
    """Lets weights and averages change places, exactly; the second time undoes the first.

    Args:
        model: keras.Model, compiled.
    """
    # Under float16 the optimizer is inside another one, which scales the loss.
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not optimizer.use_ema:
        return
    for weight, average in zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True):
        value = keras.ops.convert_to_numpy(weight)
        weight.assign(average)
        average.assign(value)
