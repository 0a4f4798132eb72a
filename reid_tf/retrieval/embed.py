"""Images -> embeddings, with an encoder that knows its own inputs and asks its runtime for the rest."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

import reid_tf.layers  # noqa: F401 - saved encoders name these layers
from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pipeline.build import evaluation_batches, input_batches
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.pipeline.detect import detect_missing
from reid_tf.pose.detector import LandmarkDetector
from reid_tf.pose.fields import as_inputs, mirrored, need_landmarks
from reid_tf.pose.part_boxes import log_regions
from reid_tf.registry import DETECTORS, Component
from reid_tf.retrieval.calibration import CALIBRATION_FILE, Calibration
from reid_tf.retrieval.colour_histogram import colour_histogram
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.encoder_images import given_beside, load_pixels, paths_and_arrays
from reid_tf.retrieval.exported import find_export, read_export
from reid_tf.retrieval.runtime import Arrays, KerasRuntime, Runtime

# Squares of shorter vectors leave the range of float32: they count as zero vectors, and stay as they are.
_SHORTEST = 1e-18


class Encoder:
    """A trained encoder, called with images of any size.

    Args:
        model: keras.Model from named inputs to {"embedding": [batch, dim]} and, where it knows attributes,
            {"attributes": [batch, size of the coding]}; or a `Runtime` of an exported one.
        inputs: mapping from input name to record field, as in `System.inputs`.
        image_size: (int, int). Height and width that images are resized to.
        distance: str. What its embeddings are meant to be ranked with.
        flip: bool. Whether an output is the mean over an image and its mirror image.
        attributes: `AttributeCoding`, or None. How the model's "attributes" are to be read.
        detector: `LandmarkDetector`, or None. Finds the landmarks of images that come without, for a model that needs
            them.
        normalize: bool. Whether embeddings are scaled to unit length; a zero vector stays one.
        calibration: `Calibration`, or None. From which of its distances on two images are two people.

    Example:
        >>> encoder = load_encoder("runs/a")
        >>> vectors = encoder(["crops/1.jpg", "crops/2.jpg"])  # float32 [2, dim]
    """

    def __init__(
        self,
        model: keras.Model | Runtime,
        inputs: Mapping[str, str],
        image_size: tuple[int, int],
        distance: str = "cosine",
        flip: bool = False,
        attributes: AttributeCoding | None = None,
        detector: LandmarkDetector | None = None,
        normalize: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        self.runtime: Runtime = KerasRuntime(model) if isinstance(model, keras.Model) else model
        self.inputs = dict(inputs)
        self.image_size = (image_size[0], image_size[1])
        self.distance, self.flip, self.attributes, self.detector = distance, flip, attributes, detector
        self.normalize, self.calibration = normalize, calibration

    def __call__(
        self,
        images: Sequence[np.ndarray | str | Path],
        batch_size: int = 64,
        landmarks: np.ndarray | None = None,
        part_boxes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embeds images.

        A model that looks at body parts takes them from the caller's boxes, from the caller's landmarks, or from the
        landmarks that the encoder's `detector` finds.

        Args:
            images: RGB arrays [height, width, 3] (uint8, or float 0..255), or paths of image files.
            batch_size: int. Images that go through the model at once.
            landmarks: float [len(images), 18, 3] as in `Record.landmarks`, or None.
            part_boxes: float [len(images), 3, 4], or None. Of head, trunk and lower limbs: left, top, right, bottom in
                [0, 1] of the image.

        Returns:
            float32 [len(images), dim].

        Raises:
            InputError: an image cannot be read, an array is no RGB image, landmarks or boxes are wrong or not as many
                as images, or the model needs them and they are neither given nor to be found.
        """
        given = given_beside(len(images), landmarks, part_boxes)
        lacking = set(self.inputs.values()) - set(given)
        if len(images) and "landmarks" not in given and need_landmarks(lacking):
            given["landmarks"] = self._detect(images, batch_size)
        vectors = [np.zeros((0, self.dim), np.float32)]
        for start in range(0, len(images), batch_size):
            chosen = slice(start, start + batch_size)
            batch = {field: values[chosen] for field, values in given.items()}
            batch["image"] = load_pixels(images[chosen], self.image_size)
            vectors.append(self._embed_batch(batch))
        return np.concatenate(vectors)

    def folded(self) -> "Encoder":
        """Returns a copy of the encoder as it is now, faster and no longer training, see `fold_normalization`.

        Its embeddings differ by rounding, which in half precision can be seen.
        """
        folded = copy.copy(self)
        folded.runtime = self.runtime.folded()
        return folded

    @property
    def model(self) -> keras.Model:
        """The Keras model; an exported encoder has none, and raises `AttributeError`."""
        return cast(KerasRuntime, self.runtime).model

    @property
    def needs_landmarks(self) -> bool:
        """Whether the model takes something that is made from landmarks."""
        return need_landmarks(self.inputs.values())

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.runtime.dim

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
        }

    def _detect(self, images: Sequence[np.ndarray | str | Path], batch_size: int) -> np.ndarray:
        if self.detector is None:
            raise InputError(
                "This encoder needs the landmarks of an image: give them as `landmarks`, or load it with a detector, "
                "load_encoder(run, detector={'name': 'movenet', 'model_file': FILE}). "
                f"Received: {len(images)} images alone."
            )
        names, arrays = paths_and_arrays(images)
        size = self.detector.image_size
        if size is None:
            if arrays:
                raise InputError(
                    f"The detector {self.detector.description['name']!r} knows images by their path and does not look "
                    f"at pixels: give paths, or `landmarks`. Received: {len(arrays)} arrays."
                )
            return self.detector(None, names)
        names = names or [f"image {index}" for index in range(len(arrays))]
        found = []
        for start in range(0, len(images), batch_size):
            chosen = slice(start, start + batch_size)
            found.append(self.detector(load_pixels(images[chosen], size), names[chosen]))
        return np.concatenate(found)

    def _embed_batch(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        views = [batch, mirrored(dict(batch))] if self.flip else [batch]
        passes = []
        for view in views:
            inputs = {name: np.asarray(value) for name, value in as_inputs(dict(view), self.inputs).items()}
            passes.append(self.runtime(inputs, ("embedding",)))
        return self._together(passes)["embedding"]

    def _together(self, passes: Sequence[Arrays]) -> Arrays:
        """The outputs of an encoder from those of its model, for images and for their mirror images."""
        outputs = {
            key: np.asarray(np.mean([one[key] for one in passes], axis=0, dtype=np.float32)) for key in passes[0]
        }
        if self.normalize:
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
        """
        views = [
            input_batches(records, self.inputs, self.image_size, batch_size, mirror)
            for mirror in ([False, True] if self.flip else [False])
        ]
        return self._together([self.runtime.over(view, outputs, verbose) for view in views])


def _unit_length(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths < _SHORTEST, 1.0, lengths)


def embed(encoder: Encoder, records: Sequence[Record], batch_size: int = 64, verbose: int = 1) -> Embeddings:
    """Embeds the images of records, read and resized in parallel.

    Args:
        encoder: `Encoder`.
        records: sequence of `Record`.
        batch_size: int. Images that go through the model at once.
        verbose: int. 1 shows a progress bar, 0 nothing.

    Returns:
        `Embeddings` in the order of the records.

    Raises:
        InputError: there are no records, an image cannot be read, or landmarks that the encoder needs are neither in
            the records nor to be found by its detector.
    """
    return _of_records(records, _outputs(encoder, records, ("embedding",), batch_size, verbose)["embedding"])


def embed_with_attributes(
    encoder: Encoder, records: Sequence[Record], batch_size: int = 64, verbose: int = 1
) -> tuple[Embeddings, np.ndarray]:
    """Embeds the images of records and predicts their attributes, in one pass.

    Args:
        encoder: `Encoder` with `attributes`.
        records: sequence of `Record`.
        batch_size: int. Images that go through the model at once.
        verbose: int. 1 shows a progress bar, 0 nothing.

    Returns:
        `Embeddings`, and float32 [N, size], which `encoder.attributes` reads.

    Raises:
        InputError: the encoder knows no attributes, or as `embed()`.
    """
    if encoder.attributes is None:
        raise InputError(
            f"This encoder predicts no attributes: attributes={encoder.attributes}; train one of the models attribute, "
            "sharenet, or multitask with the output attributes."
        )
    outputs = _outputs(encoder, records, ("embedding", "attributes"), batch_size, verbose)
    return _of_records(records, outputs["embedding"]), outputs["attributes"]


def _outputs(
    encoder: Encoder, records: Sequence[Record], outputs: Sequence[str], batch_size: int, verbose: int
) -> Arrays:
    if not records:
        raise InputError(f"There is nothing to embed: the split holds {len(records)} images.")
    if encoder.needs_landmarks and encoder.detector is not None:
        records = detect_missing(encoder.detector, records, batch_size)
    if "part_boxes" in encoder.inputs.values() and verbose:
        log_regions([record.landmarks for record in records if record.landmarks is not None])
    with naming_broken_images(record.path for record in records):
        return encoder.over(records, outputs, batch_size, verbose)


def embed_colour_histogram(records: Sequence[Record], image_size: tuple[int, int], batch_size: int = 64) -> Embeddings:
    """Describes the images of records by their colours, as a reference without learning.

    Args:
        records: sequence of `Record`.
        image_size: (int, int). Height and width that images are resized to.
        batch_size: int. Images read at once.

    Returns:
        `Embeddings` of `colour_histogram` descriptors in the order of the records.

    Raises:
        InputError: an image cannot be read.
    """
    batches = evaluation_batches(records, image_size, batch_size).as_numpy_iterator()
    with naming_broken_images(record.path for record in records):
        vectors = np.stack([colour_histogram(image) for batch in batches for image in batch])
    return _of_records(records, vectors)


def _of_records(records: Sequence[Record], vectors: np.ndarray) -> Embeddings:
    return Embeddings(
        vectors=vectors,
        identities=np.array([record.identity for record in records], np.int64),
        cameras=np.array([record.camera for record in records], np.int64),
        paths=tuple(record.path for record in records),
    )


def load_encoder(run: str | Path, detector: Component | None = None) -> Encoder:
    """Loads the encoder of a finished run, or an exported one.

    The batch normalisations of a run's encoder are folded into the layers before them, as when the run was judged (see
    `Encoder.folded`). An encoder that was calibrated knows from which distance on two images are two people.

    Args:
        run: str or Path. A run directory; an export folder of any format; or a version folder in one.
        detector: component, or None. Finds the landmarks of images that come without, where the encoder needs them:
            `{"name": "movenet", "model_file": ...}`.

    Returns:
        `Encoder`.

    Raises:
        InputError: the folder is missing, unfinished or holds no encoder, a file in it is broken, the runtime of the
            export's format is not installed, or the detector cannot be made.
    """
    folder = Path(run)
    export = None if (folder / "manifest.json").exists() else find_export(folder)
    model, description, calibration = read_export(export) if export else _read_run(folder)
    del description["dim"]
    if description.get("attributes"):
        description["attributes"] = AttributeCoding.from_dict(description["attributes"])
    finds = DETECTORS.build(detector) if detector else None
    return Encoder(model, **description, detector=finds, calibration=calibration).folded()


def _read_run(run: Path) -> tuple[keras.Model, dict[str, Any], Calibration | None]:
    manifest, model, calibration = (run / name for name in ("manifest.json", "encoder.keras", CALIBRATION_FILE))
    for path in (run, manifest):
        if not path.exists():
            raise InputError(f"{str(run)!r} is not a finished run: there is no {str(path)!r}.")
    if not model.exists():
        raise InputError(f"The run {str(run)!r} holds no encoder: there is no {str(model)!r}.")
    description = json.loads(manifest.read_text())["encoder"]
    loaded = keras.models.load_model(model, compile=False)
    return loaded, description, Calibration.load(calibration) if calibration.exists() else None
