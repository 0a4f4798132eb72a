"""Records through the signature that a server offers first: from the bytes of their files to embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from reid_tf.datasets.readers.encoded import read_encoded
from reid_tf.datasets.record import Record
from reid_tf.encoder.runtimes.saved_model import open_saved_model
from reid_tf.errors import InputError
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.pose.fields import landmark_table
from reid_tf.progress import progress_bar


def embed_served(folder: Path, records: Sequence[Record], batch_size: int = 64) -> np.ndarray:
    """Embeds the files of records with the `serving_default` signature of a SavedModel.

    A file that is neither JPEG nor PNG, which a server takes, is sent as PNG, see
    `read_encoded`.

    Args:
        folder: Path. The version folder of an export.
        records: sequence of `Record`.
        batch_size: int. Images per request.

    Returns:
        float32 [len(records), dim].

    Raises:
        InputError: a file is missing, or the model refuses it.
    """
    model = open_saved_model(folder)  # it holds the weights that the signature uses
    embed = model.signatures["serving_default"]
    takes_landmarks = "landmarks" in embed.structured_input_signature[1]
    vectors = []
    for start in progress_bar(
        range(0, len(records), batch_size), what="asking serving_default about", unit="image", total=None
    ):
        chosen = records[start : start + batch_size]
        paths = [record.path for record in chosen]
        with naming_broken_images(paths):
            request = {"image": tf.constant(read_encoded(paths))}
        if takes_landmarks:
            request["landmarks"] = tf.constant(landmark_table(chosen))
        answer = embed(**request)
        for path, error in zip(paths, answer["error"].numpy(), strict=True):
            if error:
                raise InputError(f"The exported model refuses {path!r}: {error.decode()}.")
        vectors.append(answer["embedding"].numpy())
    return np.concatenate(vectors)
