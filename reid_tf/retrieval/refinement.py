"""What makes a ranking better without another encoder: expansion, augmentation, re-ranking."""

import dataclasses

from reid_tf.options import whole_number
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.expansion import augment_gallery, expand_queries
from reid_tf.retrieval.reranking import Reranking


@dataclasses.dataclass(frozen=True)
class Refinement:
    """Steps between embeddings and ranks, in the order of their application; none of them by default.

    They look at the whole gallery, images that a protocol ignores for a query among it.

    Args:
        augment: int >= 0. As k in `augment_gallery()`; 0 for none.
        expand: int >= 0. As k in `expand_queries()`; 0 for none.
        alpha: float >= 0. Of both.
        reranking: `Reranking`, or None.
    """

    augment: int = 0
    expand: int = 0
    alpha: float = 0.0
    reranking: Reranking | None = None

    def __post_init__(self) -> None:
        whole_number("augment", self.augment, least=0)
        whole_number("expand", self.expand, least=0)

    def __bool__(self) -> bool:
        return bool(self.augment or self.expand or self.reranking)

    def __str__(self) -> str:
        steps = [
            f"gallery augmented by {self.augment}" if self.augment else "",
            f"queries expanded by {self.expand}" if self.expand else "",
            "re-ranked" if self.reranking else "",
        ]
        return ", ".join(step for step in steps if step)

    def blended(self, query: Embeddings, gallery: Embeddings, distance: str) -> tuple[Embeddings, Embeddings]:
        """Returns both sides after augmentation and expansion; what is left is to rank with `reranking`.

        Args:
            query: `Embeddings`.
            gallery: `Embeddings`.
            distance: str. As in `distance_blocks`.

        Returns:
            (queries, gallery), each `Embeddings`.

        Raises:
            InputError: as `augment_gallery()` and `expand_queries()`.
        """
        if self.augment:
            gallery = augment_gallery(gallery, self.augment, self.alpha, distance)
        if self.expand:
            query = expand_queries(query, gallery, self.expand, self.alpha, distance)
        return query, gallery
