"""A table of attributes in words, for any schema."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from reid_tf.datasets.attributes.schema import UNKNOWN, AttributeSchema
from reid_tf.files import written_beside


def write_attribute_table(path: str | Path, schema: AttributeSchema, answers: Mapping[str, Sequence[int]]) -> None:
    """Writes one line per image, sorted by name: the column `id`, and one column per group with the class's name.

    An unknown class (-1) is an empty cell.

    Args:
        path: str or Path. The CSV file; it is complete or absent at this name.
        schema: `AttributeSchema`.
        answers: mapping of an image's name to its class indices, one per group.
    """
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", *(group.name for group in schema.groups)))
        for name in sorted(answers):
            words = (
                "" if answer == UNKNOWN else group.classes[answer]
                for group, answer in zip(schema.groups, answers[name], strict=True)
            )
            writer.writerow((name, *words))
