"""Why two images match: the places of one image that make its embedding like the other's."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.images import Image, load_pixels
from reid_tf.errors import InputError
from reid_tf.pose.fields import as_inputs

if TYPE_CHECKING:
    import keras

# What the places of a map may add to the cosine by rounding alone.
_LEAST = 1e-6


def similarity_map(
    encoder: Encoder,
    image: Image,
    other: Image | np.ndarray,
    landmarks: np.ndarray | None = None,
) -> np.ndarray:
    """Shows which places of an image make it like another one.

    The cosine of the two embeddings is followed back to the last feature map that is
    made of the image alone. A channel weighs as much as its mean gradient, as in
    Grad-CAM with the cosine in the place of a class score; what is left of the weighted
    sum above 0 is enlarged to the image. Neither mirror images nor a run's own
    distance, where that is another one, are looked at.

    Args:
        encoder: `Encoder` of a run or a Keras model, without `flip`.
        image: RGB array [height, width, 3], or path. Whose places are shown.
        other: RGB array, path, or the other image's embedding, float32 [dim].
        landmarks: float [18, 3], or None. The image's, for an encoder that needs them.

    Returns:
        float32 [height, width] of the encoder's image size, between 0 and 1; all 0
        where no place speaks for the likeness.

    Raises:
        InputError: the encoder is an export, has no feature map or needs landmarks that
            are not given, or an image cannot be read.

    References:
        Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via
        Gradient-Based Localization, ICCV 2017. Chen et al., Adapting Grad-CAM for
        Embedding Networks, WACV 2020.
    """
    if not hasattr(encoder.runtime, "model"):
        raise InputError(
            f"An export has no gradients; explain with the run that it was made from. Received: {encoder!r}."
        )
    from reid_tf.encoder.runtimes.gradients import features_and_gradient

    is_embedding = isinstance(other, np.ndarray) and other.ndim == 1
    vector = np.asarray(other if is_embedding else encoder([other])[0], np.float32)
    batch: dict[str, Any] = {"image": load_pixels([image], encoder.image_size)}
    if landmarks is not None:
        batch["landmarks"] = np.asarray(landmarks, np.float32)[np.newaxis]
    elif encoder.needs_landmarks:
        raise InputError(f"This encoder needs the landmarks of the image. Received: landmarks={landmarks}.")
    inputs = {name: np.asarray(value) for name, value in as_inputs(batch, encoder.inputs).items()}
    layer = last_feature_map(encoder.model)
    features, gradient = features_and_gradient(encoder.model, layer, inputs, vector)
    likeness = np.maximum(features @ gradient.mean(axis=(0, 1)), 0)  # [h, w]
    highest = likeness.max()
    if highest * likeness.size < _LEAST:
        return np.zeros(encoder.image_size, np.float32)
    height, width = encoder.image_size
    enlarged = cv2.resize(likeness / highest, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(enlarged, 0, 1), np.float32)


def last_feature_map(model: "keras.Model") -> Any:
    """Finds the layer whose output is the last feature map on the way from the image alone.

    Args:
        model: keras.Model. A model in it is looked into where it gives no map of its
            own.

    Returns:
        keras.layers.Layer that gives [batch, h, w, channels] of more than one place.

    Raises:
        InputError: there is none.
    """
    found = _last_map(model)
    if found is None:
        raise InputError(
            f"The encoder {model.name!r} has no feature map, a layer that gives [batch, height, width, channels]. "
            f"Received: {', '.join(layer.name for layer in model.layers)}."
        )
    return found


def _last_map(model: "keras.Model") -> Any:
    import keras

    from reid_tf.backbones.cost import graph_of, sources_of

    inputs: dict[str, set[str]] = {}
    for entry in graph_of(model)["layers"]:
        sources = list(sources_of(entry["inbound_nodes"]))
        inputs[entry["name"]] = set().union(*(inputs[source] for source in sources)) if sources else {entry["name"]}
    for layer in reversed(model.layers):
        if len(inputs[layer.name]) > 1 or isinstance(layer, keras.layers.InputLayer):
            continue
        if _is_map(layer):
            return layer
        if isinstance(layer, keras.Model) and (inner := _last_map(layer)) is not None:
            return inner
    return None


def _is_map(layer: Any) -> bool:
    shape = tuple(getattr(layer.output, "shape", ()))  # a dict of outputs has none
    return len(shape) == 4 and shape[1:3] != (1, 1)
