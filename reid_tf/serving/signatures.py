"""A trained encoder as a SavedModel that takes image files and answers with embeddings and decisions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from reid_tf.datasets.record import NUM_LANDMARKS
from reid_tf.encoder.encoder import Encoder
from reid_tf.options import whole_number
from reid_tf.pose.fields import as_inputs, mirrored
from reid_tf.retrieval.calibration import Calibration
from reid_tf.retrieval.distances import distance_of_pairs
from reid_tf.serving.images import decode_images, resize_batch
from reid_tf.serving.landmarks import checked_landmarks
from reid_tf.serving.warmup import inputs_of, write_warmup_requests

Tensors = dict[str, tf.Tensor]
WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"

_ENCODED = tf.TensorSpec([None], tf.string)
_DECODED = tf.TensorSpec([None, None, None, 3], tf.uint8)
_LANDMARKS = tf.TensorSpec([None, NUM_LANDMARKS, 3], tf.float32)


def build_serving_module(
    encoder: Encoder,
    verifier: keras.Model | None,
    calibration: Calibration | None,
    normalize: bool,
    max_pixels: int,
) -> tf.Module:
    """Builds the graphs that a server runs; decoding, resizing, flipping and preprocessing are inside.

    The signatures are `serving_default` (`image`, string [batch], the bytes of JPEG or
    PNG files, to `embedding`), `embed_image` (`image`, uint8 [batch, any height, any
    width, 3], to `embedding`), `attributes` (as `serving_default`, to `attributes`)
    where the encoder has them, and, where there is a verifier or a calibration,
    `verify` (`image_a` and `image_b`, string [batch], to `probability`, `distance` and,
    where calibrated, `same` and the `threshold` of the distance). An encoder that looks
    at body parts takes `landmarks` float32 [batch, 18, 3] beside each image
    (`landmarks_a`, `landmarks_b`). A request with no images gives no rows.

    Signatures on files also give `error`, string [batch]: "" where a row is valid, else
    what is wrong with its images or landmarks, in printable ASCII. Such a row is NaN
    and its `same` False; the others are as if it were not there. `embed_image` has no
    `error`: its rows are NaN for landmarks that are not valid. In JSON, TensorFlow
    Serving writes the bare word NaN, which Python reads, and a strict parser
    (JavaScript's `JSON.parse`) does not.

    Where calibrated, `probability` is the calibration's logistic function of
    `distance`, so that it cannot contradict `same`: no pair that is the same person is
    less probable than one that is not. The verifier's own scores order pairs in another
    way, and on unseen people a worse one; they are `probability` only without a
    calibration.

    Args:
        encoder: `Encoder`. Its embeddings are those that `Encoder.__call__` makes.
        verifier: keras.Model from {"embedding_a", "embedding_b"} to {"probability":
            [batch, 1]}, or None. Left out where there is a calibration.
        calibration: `Calibration`, or None. Says which distance `verify` measures
            (without it, the encoder's), how probable it makes one person, and which
            pairs are the same.
        normalize: bool. Whether `embedding` is scaled to unit length. `verify` always
            looks at the unscaled ones.
        max_pixels: int. The most pixels of an encoded image, see `decode_images`.

    Returns:
        tf.Module for `save_serving_module`; its `functions` are the signatures by name.

    Raises:
        InputError: `max_pixels` is below 1.
    """
    max_pixels = whole_number("max_pixels", max_pixels)
    folded, verifier = encoder.folded(), None if calibration else verifier
    answers = _Answers(folded, verifier, calibration, normalize, max_pixels)
    beside = {"landmarks": _LANDMARKS} if folded.needs_landmarks else {}
    kinds: dict[str, tuple[Callable[..., Tensors], dict[str, tf.TensorSpec]]] = {
        "serving_default": (answers.embed_encoded, {"image": _ENCODED, **beside}),
        "embed_image": (answers.embed_decoded, {"image": _DECODED, **beside}),
    }
    if folded.attributes is not None:
        kinds["attributes"] = (answers.attributes, {"image": _ENCODED, **beside})
    if verifier is not None or calibration is not None:
        one = {"image": _ENCODED, **beside}
        kinds["verify"] = (answers.verify, {f"{name}_{side}": spec for side in "ab" for name, spec in one.items()})
    module = tf.Module(name="reid")
    models = [folded.model] if verifier is None else [folded.model, verifier]
    module.weights = [weight.value for model in models for weight in model.variables]
    module.functions = {
        name: tf.function(function, autograph=False).get_concrete_function(
            **{key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in specs.items()}
        )
        for name, (function, specs) in kinds.items()
    }
    return module


def save_serving_module(module: tf.Module, folder: Path) -> None:
    """Writes a SavedModel with its signatures, and the requests with which a server warms it up.

    Args:
        module: tf.Module of `build_serving_module`.
        folder: Path. A folder that is empty or not there, such as the version folder
            `1` of a model's base path.
    """
    tf.saved_model.save(module, str(folder), signatures=dict(module.functions))
    write_warmup_requests(Path(folder) / WARMUP_FILE, module.functions)


def describe_signatures(module: tf.Module) -> dict[str, Any]:
    """The inputs and outputs of each signature with their types and shapes, as JSON values.

    Args:
        module: tf.Module of `build_serving_module`.

    Returns:
        dict from signature to {"inputs": {name: {"dtype": "string", "shape": [None]}},
        "outputs": {...}}.
    """

    def described(specs: Mapping[str, tf.TensorSpec]) -> dict[str, Any]:
        return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in specs.items()}

    return {
        name: {
            "inputs": described(inputs_of(function)),
            "outputs": described(function.structured_outputs),
        }
        for name, function in module.functions.items()
    }


class _Answers:
    """What each signature computes. No `tf.Module`: Keras' objects are not to be saved, only their weights."""

    def __init__(
        self,
        encoder: Encoder,
        verifier: keras.Model | None,
        calibration: Calibration | None,
        normalize: bool,
        max_pixels: int,
    ) -> None:
        self._encoder, self._verifier, self._calibration = encoder, verifier, calibration
        self._normalize, self._max_pixels = normalize, max_pixels
        # Traced once: all signatures, and both views of one that flips, share this graph.
        self._outputs = tf.function(lambda inputs: encoder.model(inputs, training=False), autograph=False)

    def embed_encoded(self, image: tf.Tensor, landmarks: tf.Tensor | None = None) -> Tensors:
        outputs, error = self._encode(*self._decode(image), landmarks)
        return {"embedding": _or_nan(self._scaled(outputs["embedding"]), error), "error": error}

    def embed_decoded(self, image: tf.Tensor, landmarks: tf.Tensor | None = None) -> Tensors:
        pixels = resize_batch(image, self._encoder.image_size)
        outputs, error = self._encode(pixels, tf.fill(tf.shape(pixels)[:1], ""), landmarks)
        return {"embedding": _or_nan(self._scaled(outputs["embedding"]), error)}

    def attributes(self, image: tf.Tensor, landmarks: tf.Tensor | None = None) -> Tensors:
        outputs, error = self._encode(*self._decode(image), landmarks)
        return {"attributes": _or_nan(outputs["attributes"], error), "error": error}

    def verify(
        self,
        image_a: tf.Tensor,
        image_b: tf.Tensor,
        landmarks_a: tf.Tensor | None = None,
        landmarks_b: tf.Tensor | None = None,
    ) -> Tensors:
        sides = {"image_a": image_a, "image_b": image_b, "landmarks_a": landmarks_a, "landmarks_b": landmarks_b}
        with tf.control_dependencies(
            [_check_as_many({name: side for name, side in sides.items() if side is not None})]
        ):
            images = tf.concat([image_a, image_b], axis=0)  # all first ones, then all second ones
        landmarks = None if landmarks_a is None else tf.concat([landmarks_a, landmarks_b], axis=0)
        count = tf.size(image_a)
        outputs, errors = self._encode(*self._decode(images), landmarks)
        error = _joined(_of("image_a ", errors[:count]), _of("image_b ", errors[count:]))
        embeddings = outputs["embedding"]
        return {**self._compare(embeddings[:count], embeddings[count:], error), "error": error}

    def _compare(self, embedding_a: tf.Tensor, embedding_b: tf.Tensor, error: tf.Tensor) -> Tensors:
        calibration = self._calibration
        kind = calibration.distance if calibration else self._encoder.distance
        distance = _or_nan(distance_of_pairs(embedding_a, embedding_b, kind), error)
        answer = {"distance": distance}
        if calibration:
            answer["probability"] = tf.sigmoid(calibration.intercept - calibration.slope * distance)
            answer["same"] = distance <= calibration.threshold
            answer["threshold"] = tf.fill(tf.shape(distance), tf.constant(calibration.threshold, tf.float32))
        elif self._verifier is not None:
            pair = {"embedding_a": embedding_a, "embedding_b": embedding_b}
            answer["probability"] = _or_nan(self._verifier(pair, training=False)["probability"][:, 0], error)
        return answer

    def _decode(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return decode_images(encoded, self._encoder.image_size, self._max_pixels)

    def _encode(self, pixels: tf.Tensor, error: tf.Tensor, landmarks: tf.Tensor | None) -> tuple[Tensors, tf.Tensor]:
        """All outputs of the model, averaged over an image and its mirror image where the encoder does so; errors."""
        count = tf.shape(pixels)[0]
        # An empty batch breaks TensorFlow's convolutions (oneDNN): a blank image goes through, and is then cut off.
        spare = tf.cast(count == 0, tf.int32)
        batch = {"image": tf.cast(_longer(pixels, spare), tf.float32)}
        if landmarks is not None:
            landmarks, problem = checked_landmarks(landmarks, count)
            batch["landmarks"], error = _longer(landmarks, spare), _joined(error, problem)
        views = [batch, mirrored(batch)] if self._encoder.flip else [batch]
        passes = [self._outputs(as_inputs(view, self._encoder.inputs)) for view in views]
        return {key: tf.add_n([one[key] for one in passes])[:count] / len(passes) for key in passes[0]}, error

    def _scaled(self, embedding: tf.Tensor) -> tf.Tensor:
        # A zero vector stays one; squares of shorter vectors leave the range of float32.
        return tf.math.l2_normalize(embedding, axis=-1, epsilon=1e-36) if self._normalize else embedding


def _check_as_many(inputs: Tensors) -> tf.Operation:
    """Fails where inputs have different numbers of rows, and names them with their numbers."""
    counts = tf.stack([tf.shape(values)[0] for values in inputs.values()])
    numbers = tf.strings.reduce_join(tf.strings.as_string(counts), separator=", ")
    message = tf.strings.join([f"{', '.join(inputs)} must have equally many rows, and have ", numbers])
    return tf.debugging.Assert(tf.reduce_all(counts == counts[0]), [message])


def _or_nan(values: tf.Tensor, error: tf.Tensor) -> tf.Tensor:
    """The rows that have no error, and NaN for the others."""
    sound = tf.reshape(error == "", [-1] + [1] * (values.shape.rank - 1))
    return tf.where(sound, values, float("nan"))


def _of(subject: str, error: tf.Tensor) -> tf.Tensor:
    return tf.where(error == "", "", subject + error)


def _joined(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The errors of each row in one."""
    return tf.strings.join([first, tf.where((first == "") | (second == ""), "", "; "), second])


def _longer(values: tf.Tensor, spare: tf.Tensor) -> tf.Tensor:
    """With some zeros at the end of the first axis."""
    return tf.concat([values, tf.zeros([spare, *values.shape[1:]], values.dtype)], axis=0)
