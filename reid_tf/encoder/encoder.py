"""Images -> embeddings, with an encoder that knows its own inputs and asks its runtime for the rest."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.record import Record
from reid_tf.encoder.boxes import BoxEmbeddings, Colour, embed_boxes
from reid_tf.encoder.images import (
    Image,
    OnError,
    check_on_error,
    each_image,
    given_beside,
    in_batches,
    load_pixels,
    load_sound,
    paths_and_arrays,
    record_batches,
    report_refused,
)
from reid_tf.encoder.runtimes.base import Arrays, Runtime
from reid_tf.errors import InputError
from reid_tf.options import unknown, whole_number
from reid_tf.pose.detector import LandmarkDetector
from reid_tf.pose.fields import as_inputs, mirrored, need_landmarks
from reid_tf.retrieval.calibration import Calibration
from reid_tf.retrieval.fingerprint import Fingerprint

if TYPE_CHECKING:
    import keras  # exported encoders need none

    from reid_tf.models.system import System

# Squares of shorter vectors leave the range of float32: they count as zero vectors, and stay as they are.
_SHORTEST = 1e-18
_OPTIONS = ("distance", "flip", "attributes", "detector", "normalize", "calibration")


class Encoder:
    """A trained encoder, called with images of any size.

    Args:
        model: `System`, whose encoder shares its weights with the model in training;
            keras.Model from named inputs to {"embedding": [batch, dim]} and, where it
            knows attributes, {"attributes": [batch, size of the coding]}; or a
            `Runtime` of an exported one.
        inputs: mapping from input name to record field, as in `System.inputs`; None for
            those of the system, or those that bear their field's name. A `Runtime`
            needs them, as it does the next.
        image_size: (int, int), or None for that of the system or model. Height and
            width that images are resized to.
        distance: str, or None for that of the system, else "cosine". What its
            embeddings are meant to be ranked with.
        flip: bool. Whether an output is the mean over an image and its mirror image.
        attributes: `AttributeCoding`, or None for that of the system, if any. How the
            model's "attributes" are to be read.
        detector: `LandmarkDetector`, or None. Finds the landmarks of images that come
            without, for a model that needs them.
        normalize: bool. Whether embeddings are scaled to unit length; a zero vector
            stays one.
        calibration: `Calibration`, or None. Above which of its distances two images
            show two people.

    Example:
        >>> encoder = load_encoder("runs/a")
        >>> vectors = encoder(["crops/1.jpg", "crops/2.jpg"])  # float32 [2, dim]
    """

    def __init__(
        self,
        model: "System | keras.Model | Runtime",
        inputs: Mapping[str, str] | None = None,
        image_size: tuple[int, int] | None = None,
        distance: str | None = None,
        flip: bool = False,
        attributes: AttributeCoding | None = None,
        detector: LandmarkDetector | None = None,
        normalize: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        self.runtime, known = _runtime_of(model)
        self.inputs = dict(known["inputs"] if inputs is None else inputs)
        height, width = known["image_size"] if image_size is None else image_size
        self.image_size = (int(height), int(width))
        if not self.inputs or min(self.image_size) < 1:
            raise InputError(
                "An encoder needs the record fields of its inputs and a fixed image size, and the model does not give "
                f"both. Received: inputs={self.inputs}, image_size={self.image_size}."
            )
        self.distance: str = distance or known["distance"]
        self.attributes: AttributeCoding | None = attributes or known["attributes"]
        self.flip, self.detector, self.normalize, self.calibration = flip, detector, normalize, calibration

    def __repr__(self) -> str:
        height, width = self.image_size
        options = [name for name in ("flip", "normalize") if getattr(self, name)]
        known = [name for name in ("attributes", "detector", "calibration") if getattr(self, name) is not None]
        what = ", ".join(["/".join(self.inputs), f"{height} x {width} -> {self.dim}", self.distance, *options, *known])
        return f"Encoder({type(self.runtime).__name__}: {what})"

    def __call__(
        self,
        images: Iterable[Any],
        batch_size: int = 64,
        landmarks: np.ndarray | None = None,
        part_boxes: np.ndarray | None = None,
        on_error: OnError = "raise",
    ) -> np.ndarray:
        """Embeds images.

        A model that looks at body parts takes them from the caller's boxes, from the
        caller's landmarks, or from the landmarks that the encoder's `detector` finds.
        Otherwise images are taken as they come, a batch at a time: a generator may give
        more than memory holds.

        Args:
            images: iterable of RGB arrays [height, width, 3] (uint8, or float 0..255),
                of batches of such, or of paths of image files.
            batch_size: int >= 1. Images that go through the model at once.
            landmarks: float [len(images), 18, 3] as in `Record.landmarks`, or None.
            part_boxes: float [len(images), 3, 4], or None. Of head, trunk and lower
                limbs: left, top, right, bottom in [0, 1] of the image.
            on_error: "raise", or "nan" to give rows of NaN to images that cannot be
                read, and to log which. Images are named by their position.

        Returns:
            float32 [number of images, dim].

        Raises:
            InputError: an image cannot be read, an array is not an RGB image, the batch
                size is no count, landmarks or boxes are wrong or not as many as images,
                or the model needs them and they are neither given nor to be found; or
                the process was forked from that of the encoder.
        """
        return self.outputs(images, ("embedding",), batch_size, landmarks, part_boxes, on_error)["embedding"]

    def outputs(
        self,
        images: Iterable[Any],
        names: Sequence[str] = ("embedding", "attributes"),
        batch_size: int = 64,
        landmarks: np.ndarray | None = None,
        part_boxes: np.ndarray | None = None,
        on_error: OnError = "raise",
    ) -> Arrays:
        """Embeds images and tells their attributes, in one pass.

        Args:
            images: as in a call of the encoder, and so are the arguments after `names`.
            names: sequence of str. Which outputs are wanted: "embedding", and
                "attributes" where the encoder knows any.
            batch_size: int >= 1.
            landmarks: float [len(images), 18, 3], or None.
            part_boxes: float [len(images), 3, 4], or None.
            on_error: "raise" or "nan".

        Returns:
            dict from output to float32 [number of images, width].

        Raises:
            InputError: the encoder has no such output, or as in a call.
        """
        self.runtime.check_process()
        batch_size = whole_number("batch_size", batch_size)
        check_on_error(on_error)
        widths = self.runtime.output_widths
        for name in names:
            if name not in widths:
                raise InputError(unknown("output of the encoder", name, widths))
        images, given = each_image(images), {}
        if self.needs_landmarks or landmarks is not None or part_boxes is not None:
            images = list(images)
            given = given_beside(len(images), landmarks, part_boxes)
            if images and self._lacks_landmarks(given):
                given |= self._looked_up(images)
        parts = {name: [np.zeros((0, widths[name]), np.float32)] for name in names}
        for first, chosen in in_batches(images, batch_size):
            pixels, refused = load_sound(chosen, self.image_size, first)
            report_refused(refused, {place: chosen[place - first] for place in refused}, on_error)
            sound = [place for place in range(first, first + len(chosen)) if place not in refused]
            rows = {name: np.full((len(chosen), widths[name]), np.nan, np.float32) for name in names}
            if sound:
                batch = {field: values[sound] for field, values in given.items()}
                if self._lacks_landmarks(given):
                    batch["landmarks"] = self._detect([chosen[place - first] for place in sound], sound)
                for name, values in self._run_batch({**batch, "image": pixels}, names).items():
                    rows[name][np.array(sound) - first] = values
            for name in names:
                parts[name].append(rows[name])
        return {name: np.concatenate(parts[name]) for name in names}

    def embed_boxes(
        self, frame: np.ndarray, boxes: Any, colour: Colour = "bgr", least_side: int = 4, batch_size: int = 64
    ) -> BoxEmbeddings:
        """Embeds the boxes of a frame, as a detector or tracker gives them, see `boxes.embed_boxes`."""
        return embed_boxes(self, frame, boxes, colour, least_side, batch_size)

    def folded(self) -> "Encoder":
        """Returns a copy of the encoder as it is now, faster and no longer training, see `fold_normalization`.

        Its embeddings differ by rounding, which in half precision can be seen.
        """
        return self._changed(runtime=self.runtime.folded())

    def with_options(self, **options: Any) -> "Encoder":
        """Returns a copy with other options, on the same model.

        Args:
            **options: any of `distance`, `flip`, `attributes`, `detector`, `normalize`
                and `calibration`, as in the constructor.

        Returns:
            `Encoder`.

        Raises:
            InputError: there is no such option.
        """
        for name in options:
            if name not in _OPTIONS:
                raise InputError(unknown("option of an encoder", name, _OPTIONS))
        return self._changed(**options)

    def _changed(self, **fields: Any) -> "Encoder":
        changed = copy.copy(self)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed

    @property
    def model(self) -> "keras.Model":
        """The Keras model; an exported encoder has none, and raises `AttributeError`."""
        return cast(Any, self.runtime).model

    @property
    def needs_landmarks(self) -> bool:
        """Whether the model takes something that is made from landmarks."""
        return need_landmarks(self.inputs.values())

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.runtime.dim

    @property
    def fingerprint(self) -> Fingerprint | None:
        """What its vectors depend on: only those of one fingerprint can be compared; None for an export of 0.1.0."""
        identity = self.runtime.identity
        if identity is None:
            return None
        return Fingerprint(identity, self.image_size, self.flip or self.runtime.flips, self.normalize, self.dim)

    def describe(self) -> dict[str, Any]:
        """What `load_encoder` needs beside the saved model, as JSON values."""
        return {
            "inputs": self.inputs,
            "image_size": list(self.image_size),
            "distance": self.distance,
            "flip": self.flip,
            "dim": self.dim,
            "attributes": self.attributes and self.attributes.to_dict(),
            "normalize": self.normalize,
            "fingerprint": self.fingerprint and self.fingerprint.to_dict(),
        }

    def _lacks_landmarks(self, given: Mapping[str, np.ndarray]) -> bool:
        return "landmarks" not in given and need_landmarks(set(self.inputs.values()) - set(given))

    def _looked_up(self, images: Sequence[Image]) -> dict[str, np.ndarray]:
        """The landmarks of all images at once, where the detector knows them by their paths."""
        if self.detector is None:
            raise InputError(
                "This encoder needs the landmarks of an image: give them as `landmarks`, or load it with a detector, "
                "load_encoder(run, detector={'name': 'movenet', 'model_file': FILE}). "
                f"Received: {len(images)} images without landmarks."
            )
        if self.detector.image_size is not None:
            return {}
        paths, arrays = paths_and_arrays(images)
        if arrays:
            raise InputError(
                f"The detector {self.detector.description['name']!r} knows images by their path and does not look "
                f"at pixels: give paths, or `landmarks`. Received: {len(arrays)} arrays."
            )
        return {"landmarks": self.detector(None, paths)}

    def _detect(self, images: Sequence[Image], positions: Sequence[int]) -> np.ndarray:
        detector = cast(LandmarkDetector, self.detector)
        paths, _ = paths_and_arrays(images)
        names = paths or [f"image {position}" for position in positions]
        return detector(load_pixels(images, cast(tuple[int, int], detector.image_size)), names)

    def _run_batch(self, batch: Mapping[str, np.ndarray], names: Sequence[str]) -> Arrays:
        views = [batch, mirrored(dict(batch))] if self.flip else [batch]
        passes = []
        for view in views:
            inputs = {name: np.asarray(value) for name, value in as_inputs(dict(view), self.inputs).items()}
            passes.append(self.runtime(inputs, tuple(names)))
        return self._together(passes)

    def _together(self, passes: Sequence[Arrays]) -> Arrays:
        """The outputs of an encoder from those of its model, for images and for their mirror images."""
        outputs = {
            key: np.asarray(np.mean([one[key] for one in passes], axis=0, dtype=np.float32)) for key in passes[0]
        }
        if self.normalize and "embedding" in outputs:
            outputs["embedding"] = _unit_length(outputs["embedding"])
        return outputs

    def over(self, records: Sequence[Record], outputs: Sequence[str], batch_size: int, verbose: int) -> Arrays:
        """Runs the model over the images of records, see `embed()`.

        Args:
            records: sequence of `Record`.
            outputs: sequence of str. Which of "embedding" and "attributes" are wanted.
            batch_size: int. Images that go through the model at once.
            verbose: int. 1 shows a progress bar, 0 nothing.

        Returns:
            dict from output to float32 [len(records), ...].

        Raises:
            InputError: the batch size is no count, or the process was forked from that
                of the encoder.
        """
        self.runtime.check_process()
        views = [
            record_batches(records, self.inputs, self.image_size, batch_size, mirror)
            for mirror in ([False, True] if self.flip else [False])
        ]
        return self._together([self.runtime.over(view, outputs, verbose) for view in views])


def _unit_length(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths < _SHORTEST, 1.0, lengths)


def _runtime_of(model: "System | keras.Model | Runtime") -> tuple[Runtime, dict[str, Any]]:
    """The runtime of a model, and what the model itself says of an encoder's arguments."""
    if isinstance(model, Runtime):
        return model, {"inputs": {}, "image_size": (0, 0), "distance": "cosine", "attributes": None}
    from reid_tf.encoder.of_keras import of_keras_model

    return of_keras_model(model)
