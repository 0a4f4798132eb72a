"""What a Keras model, or a system, says of the encoder that is made of it."""

from typing import Any

import keras

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.encoder.runtimes.base import Runtime
from reid_tf.encoder.runtimes.keras_model import KerasRuntime
from reid_tf.errors import InputError
from reid_tf.models.system import System
from reid_tf.pose.fields import FIELDS


def of_keras_model(model: System | keras.Model, identity: str | None = None) -> tuple[Runtime, dict[str, Any]]:
    """Finds the runtime and what the model knows of `Encoder`'s arguments.

    Args:
        model: `System`, or keras.Model from named inputs to a dict with "embedding".
        identity: str, or None. As in `KerasRuntime`.

    Returns:
        The runtime, and a dict with `inputs`, `image_size`, `distance` and
        `attributes`.

    Raises:
        InputError: the system has no encoder, or this is another kind of model.
    """
    if isinstance(model, System):
        if model.encoder is None:
            raise InputError(f"The model {model.model.name!r} has no encoder: encoder={model.encoder}.")
        schema, kind = model.attribute_schema, model.attribute_kind
        return KerasRuntime(model.encoder, identity), {
            "inputs": model.inputs,
            "image_size": model.image_size,
            "distance": model.distance,
            "attributes": AttributeCoding(schema, kind) if schema and kind else None,
        }
    if not isinstance(model, keras.Model):
        raise InputError(
            f"An encoder is made from a System, a keras.Model or the runtime of an export; load_encoder() opens a run "
            f"or an export. Received: {model!r}."
        )
    outputs, inputs = model.output, model.input
    if not isinstance(outputs, dict) or "embedding" not in outputs or not isinstance(inputs, dict):
        raise InputError(
            "An encoder's model must take a dict of inputs ('image') and give a dict of outputs with 'embedding', as a "
            f"system's `encoder` does. Received: the model {model.name!r} with inputs {_named(inputs)} and outputs "
            f"{_named(outputs)}."
        )
    image = inputs.get("image")
    return KerasRuntime(model, identity), {
        "inputs": {name: name for name in inputs if name in FIELDS},
        "image_size": (0, 0) if image is None else tuple(int(side or 0) for side in image.shape[1:3]),
        "distance": "cosine",
        "attributes": None,
    }


def _named(tensors: Any) -> Any:
    return sorted(tensors) if isinstance(tensors, dict) else "without names"
