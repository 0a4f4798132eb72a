"""Records -> embeddings: what is ranked, kept and compared."""

from collections.abc import Sequence

import numpy as np

from reid_tf.datasets.record import Record
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.images import naming_broken_images
from reid_tf.encoder.runtimes.base import Arrays
from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.pose.part_boxes import log_regions
from reid_tf.progress import announce
from reid_tf.retrieval.colour_histogram import colour_histogram
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import Fingerprint


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
        InputError: there are no records, an image cannot be read, the batch size is no
            count, landmarks that the encoder needs are neither in the records nor to be
            found by its detector, or the process was forked from that of the encoder.
    """
    outputs = _outputs(encoder, records, ("embedding",), batch_size, verbose)
    return _of_records(records, outputs["embedding"], encoder.fingerprint)


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
    return _of_records(records, outputs["embedding"], encoder.fingerprint), outputs["attributes"]


def _outputs(
    encoder: Encoder, records: Sequence[Record], outputs: Sequence[str], batch_size: int, verbose: int
) -> Arrays:
    encoder.runtime.check_process()
    batch_size = whole_number("batch_size", batch_size)
    if not records:
        raise InputError(f"There is nothing to embed: the split holds {len(records)} images.")
    if encoder.needs_landmarks and encoder.detector is not None:
        from reid_tf.pipeline.detect import detect_missing

        records = detect_missing(encoder.detector, records, batch_size)
    if "part_boxes" in encoder.inputs.values() and verbose:
        log_regions([record.landmarks for record in records if record.landmarks is not None])
    if verbose:
        announce("embedding", "image", len(records))
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
    from reid_tf.pipeline.build import evaluation_batches

    batches = evaluation_batches(records, image_size, batch_size).as_numpy_iterator()
    with naming_broken_images(record.path for record in records):
        vectors = np.stack([colour_histogram(image) for batch in batches for image in batch])
    return _of_records(records, vectors)


def _of_records(records: Sequence[Record], vectors: np.ndarray, encoder: Fingerprint | None = None) -> Embeddings:
    return Embeddings(
        vectors=vectors,
        identities=np.array([record.identity for record in records], np.int64),
        cameras=np.array([record.camera for record in records], np.int64),
        paths=tuple(record.path for record in records),
        encoder=encoder,
    )
