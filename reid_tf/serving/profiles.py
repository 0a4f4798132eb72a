"""Encoders as other programs expect them: the input that a tracker feeds to every network it is given."""

import dataclasses
from typing import Any

import keras

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.runtimes.prescribed import PROFILES
from reid_tf.errors import InputError
from reid_tf.imagenet import MEAN, STANDARD_DEVIATION
from reid_tf.options import unknown
from reid_tf.serving.formats.source import Source

FORMATS = ("onnx", "litert")


def with_profile(source: Source, profile: str, format: str) -> Source:
    """Makes what is exported take the images that a profile prescribes.

    An encoder of another image size gets a step that resizes images of the profile's
    size to its own, and loses its calibration: what it sees is no longer quite the
    same. Attributes and averages over mirror images stay behind.

    Args:
        source: `Source`.
        profile: str. "imagenet-nchw": float32 [batch, 3, 256, 128], RGB, less ImageNet's
            mean and divided by its standard deviation.
        format: str. "onnx" or "litert".

    Returns:
        `Source`.

    Raises:
        InputError: there is no such profile, the format has none, or the encoder takes
            more than images.
    """
    if profile not in PROFILES:
        raise InputError(unknown("profile", profile, PROFILES))
    if format not in FORMATS:
        raise InputError(f"The profile {profile!r} is for the formats {' and '.join(FORMATS)}. Received: {format!r}.")
    if set(source.encoder.inputs.values()) != {"image"}:
        raise InputError(
            f"The profile {profile!r} is of images alone. Received: an encoder of "
            f"{' and '.join(sorted(set(source.encoder.inputs.values())))}."
        )
    return dataclasses.replace(source, encoder=_at_size(source.encoder, PROFILES[profile]), profile=profile)


def contract(profile: str) -> dict[str, Any]:
    """Returns what a file of a profile takes, in the words of `export.json`.

    Args:
        profile: str. A key of `PROFILES`.
    """
    return {
        "type": "float32",
        "axes": ["batch", "channel", "height", "width"],
        "image_size": list(PROFILES[profile]),
        "channels": "rgb",
        "mean": list(MEAN),
        "standard_deviation": list(STANDARD_DEVIATION),
        "scale": 255,
    }


def _at_size(encoder: Encoder, size: tuple[int, int]) -> Encoder:
    plain = encoder.with_options(flip=False, attributes=None, calibration=None if encoder.flip else encoder.calibration)
    if encoder.image_size == size:
        return plain
    (name,) = encoder.inputs
    image = keras.Input((*size, 3), name=name)
    resized = keras.layers.Resizing(*encoder.image_size, interpolation="bilinear", name="own_size")(image)
    model = keras.Model({name: image}, {"embedding": encoder.model({name: resized})["embedding"]}, name="encoder")
    return Encoder(model, encoder.inputs, size, encoder.distance, normalize=encoder.normalize)
