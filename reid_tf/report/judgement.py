"""What an evaluation on the test set found, whatever was judged."""

import dataclasses
from typing import Any

from reid_tf.retrieval.attribute_metrics import AttributeMetrics

Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The figures and how to show them.

    Args:
        figures: dict. What metrics.json holds, but for the references.
        tables: tuple of str. The figures as Markdown tables, for a reader.
        attributes: `AttributeMetrics`, or None where none were judged.
    """

    figures: Figures
    tables: tuple[str, ...]
    attributes: AttributeMetrics | None = None
