"""The images of a test set, embedded, and with their attributes judged where both sides know any."""

import numpy as np

from reid_tf.datasets.record import ReIDDataset
from reid_tf.encoder.embed import embed, embed_with_attributes
from reid_tf.encoder.encoder import Encoder
from reid_tf.retrieval.attribute_metrics import AttributeMetrics, check_same_schema, evaluate_records
from reid_tf.retrieval.embeddings import Embeddings


def embed_query_and_gallery(
    encoder: Encoder, dataset: ReIDDataset, batch_size: int = 64, verbose: int = 1
) -> tuple[Embeddings, Embeddings, AttributeMetrics | None]:
    """Embeds queries and gallery and judges the attributes that the encoder predicts on all of them, in one pass.

    An image that is query and gallery at once is judged once.

    Args:
        encoder: `Encoder`.
        dataset: `ReIDDataset`.
        batch_size: int. Images that go through the model at once.
        verbose: int. 1 shows a progress bar, 0 nothing.

    Returns:
        (query `Embeddings`, gallery `Embeddings`, `AttributeMetrics` or None where the
        encoder predicts no attributes or no image is labelled).

    Raises:
        InputError: the data set's attributes are not the encoder's, a split is empty,
            or an image cannot be read.
    """
    splits = (dataset.query, dataset.gallery)
    if encoder.attributes is None or dataset.attribute_schema is None:
        query, gallery = (embed(encoder, records, batch_size, verbose) for records in splits)
        return query, gallery, None
    check_same_schema(encoder.attributes.schema, dataset.attribute_schema)  # before the images are read
    (query, of_query), (gallery, of_gallery) = (
        embed_with_attributes(encoder, records, batch_size, verbose) for records in splits
    )
    records = dataset.query + dataset.gallery
    # Validation by order has its queries in the gallery too; each image counts once.
    once = list({record.path: place for place, record in enumerate(records)}.values())
    outputs = np.concatenate([of_query, of_gallery])[once]
    judged = [records[place] for place in once]
    return query, gallery, evaluate_records(encoder.attributes, outputs, judged, dataset.attribute_schema)
