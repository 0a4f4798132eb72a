"""Requests that a server runs before it takes a model into service, so that no caller waits for its first use."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from reid_tf.files import written_beside

# Not an encoder's own size, or nothing would be resized.
_IMAGE_SIZE = (150, 70)


def write_warmup_requests(
    path: Path, functions: Mapping[str, tf.types.experimental.ConcreteFunction], batch_sizes: Sequence[int] = (1, 8)
) -> None:
    """Writes a request for each signature and batch size; the images are noise, the same in every file.

    Args:
        path: Path. `assets.extra/tf_serving_warmup_requests` of a SavedModel.
        functions: mapping from signature to concrete function, whose inputs are named
            as those of `build_serving_module`.
        batch_sizes: sequence of int. 1, and one of many images, because they take
            different ways through the kernels.

    References:
        TensorFlow Serving, SavedModel Warmup: a TFRecord of `PredictionLog`s, at most
        1,000.
    """
    rng = np.random.default_rng(0)
    with written_beside(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
        for name, function in functions.items():
            for size in batch_sizes:
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = name
                for key, spec in inputs_of(function).items():
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(_made(rng, spec, size), spec.dtype))
                log = prediction_log_pb2.PredictLog(request=request)
                writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString(deterministic=True))


def inputs_of(function: tf.types.experimental.ConcreteFunction) -> dict[str, tf.TensorSpec]:
    """The inputs of a concrete function by name; optional ones that it was made without are not inputs."""
    specs = tf.nest.flatten(function.structured_input_signature)
    return {spec.name: spec for spec in specs if isinstance(spec, tf.TensorSpec)}


def _made(rng: np.random.Generator, spec: tf.TensorSpec, size: int) -> np.ndarray | list[bytes]:
    """A value for an input: image files, images or landmarks."""
    if spec.dtype == tf.float32:
        return rng.uniform(0.1, 0.9, (size, *spec.shape[1:])).astype(np.float32)
    images = rng.integers(0, 256, (size, *_IMAGE_SIZE, 3), np.uint8)
    if spec.dtype == tf.uint8:
        return images
    return [tf.io.encode_jpeg(image).numpy() for image in images]
