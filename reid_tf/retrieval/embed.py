"""Images -> embeddings, with an encoder that knows its own inputs. The only file of this room that sees a model."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

import reid_tf.layers  # noqa: F401 - saved encoders name these layers
from reid_tf.datasets.attribute_coding import AttributeCoding
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.pipeline.build import evaluation_batches
from reid_tf.pipeline.decode import load_images, naming_broken_images, resize_images
from reid_tf.retrieval.colour_histogram import colour_histogram
from reid_tf.retrieval.embeddings import Embeddings


class Encoder:
    """A trained encoder, called with images of any size.

    Args:
        model: keras.Model from named inputs to {"embedding": [batch, dim]} and, where it knows attributes,
            {"attributes": [batch, size of the coding]}.
        inputs: mapping from input name to record field, as in `System.inputs`.
        image_size: (int, int). Height and width that images are resized to.
        distance: str. What its embeddings are meant to be ranked with.
        flip: bool. Whether an output is the mean over an image and its mirror image.
        attributes: `AttributeCoding`, or None. How the model's "attributes" are to be read.

    Example:
        >>> encoder = load_encoder("runs/a")
        >>> vectors = encoder(["crops/1.jpg", "crops/2.jpg"])  # float32 [2, dim]
    """

    def __init__(
        self,
        model: keras.Model,
        inputs: Mapping[str, str],
        image_size: tuple[int, int],
        distance: str = "cosine",
        flip: bool = False,
        attributes: AttributeCoding | None = None,
    ) -> None:
        self.model, self.inputs = model, dict(inputs)
        self.image_size = (image_size[0], image_size[1])
        self.distance, self.flip, self.attributes = distance, flip, attributes

    def __call__(self, images: Sequence[np.ndarray | str | Path], batch_size: int = 64) -> np.ndarray:
        """Embeds images.

        Args:
            images: RGB arrays [height, width, 3] (uint8, or float 0..255), or paths of image files.
            batch_size: int. Images that go through the model at once.

        Returns:
            float32 [len(images), dim].

        Raises:
            InputError: an image cannot be read, or an array is no RGB image.
        """
        batches = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
        if not batches:
            return np.zeros((0, self.dim), np.float32)
        return np.concatenate([self._embed_batch(self._load(batch)) for batch in batches])

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        return self.model.output["embedding"].shape[-1]

    def describe(self) -> dict[str, Any]:
        """What `load_encoder` needs beside the saved model, as JSON values."""
        return {
            "inputs": self.inputs,
            "image_size": list(self.image_size),
            "distance": self.distance,
            "flip": self.flip,
            "dim": self.dim,
            "attributes": self.attributes and self.attributes.to_dict(),
        }

    def _load(self, images: Sequence[np.ndarray | str | Path]) -> np.ndarray:
        paths = [str(image) for image in images if isinstance(image, str | Path)]
        arrays = [image for image in images if not isinstance(image, str | Path)]
        if paths and arrays:
            raise InputError(f"Images are all arrays or all paths. Received: {len(arrays)} arrays, {len(paths)} paths.")
        return load_images(paths, self.image_size) if paths else resize_images(arrays, self.image_size)

    def _embed_batch(self, images: np.ndarray) -> np.ndarray:
        views = [images, images[:, :, ::-1]] if self.flip else [images]
        vectors = [
            keras.ops.convert_to_numpy(self.model({"image": view}, training=False)["embedding"]) for view in views
        ]
        return np.asarray(np.mean(vectors, axis=0, dtype=np.float32))


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
        InputError: there are no records, or an image cannot be read.
    """
    return _of_records(records, _outputs(encoder, records, batch_size, verbose)["embedding"])


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
        InputError: the encoder knows no attributes, there are no records, or an image cannot be read.
    """
    if encoder.attributes is None:
        raise InputError(
            f"This encoder predicts no attributes: attributes={encoder.attributes}; train one of the models attribute, "
            "sharenet, or multitask with the output attributes."
        )
    outputs = _outputs(encoder, records, batch_size, verbose)
    return _of_records(records, outputs["embedding"]), outputs["attributes"]


def _outputs(encoder: Encoder, records: Sequence[Record], batch_size: int, verbose: int) -> dict[str, np.ndarray]:
    if not records:
        raise InputError(f"There is nothing to embed: the split holds {len(records)} images.")
    batches = evaluation_batches(records, encoder.image_size, batch_size)
    views = [_as_it_is, _mirrored] if encoder.flip else [_as_it_is]
    with naming_broken_images(record.path for record in records):
        passes = [encoder.model.predict(batches.map(view), verbose=verbose) for view in views]
    return {key: np.asarray(np.mean([one[key] for one in passes], axis=0, dtype=np.float32)) for key in passes[0]}


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


def _as_it_is(images: Any) -> dict[str, Any]:
    return {"image": images}


def _mirrored(images: Any) -> dict[str, Any]:
    return {"image": images[:, :, ::-1]}


def _of_records(records: Sequence[Record], vectors: np.ndarray) -> Embeddings:
    return Embeddings(
        vectors=vectors,
        identities=np.array([record.identity for record in records], np.int64),
        cameras=np.array([record.camera for record in records], np.int64),
        paths=tuple(record.path for record in records),
    )


def load_encoder(run: str | Path) -> Encoder:
    """Loads the encoder of a finished run.

    Args:
        run: str or Path. A run directory.

    Returns:
        `Encoder`.

    Raises:
        InputError: the folder is missing, unfinished or holds no encoder.
    """
    run = Path(run)
    manifest, model = run / "manifest.json", run / "encoder.keras"
    for path in (run, manifest, model):
        if not path.exists():
            raise InputError(f"{str(run)!r} is not a finished run: there is no {str(path)!r}.")
    description = json.loads(manifest.read_text())["encoder"]
    del description["dim"]
    if description.get("attributes"):
        description["attributes"] = AttributeCoding.from_dict(description["attributes"])
    return Encoder(keras.models.load_model(model, compile=False), **description)
