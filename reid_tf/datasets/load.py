"""A data set by its registered name."""

from pathlib import Path
from typing import Any

from reid_tf.datasets.record import ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS


def load_dataset(name: str, root: str | None = None, **options: Any) -> ReIDDataset:
    """Loads a data set.

    Args:
        name: str. A registered name: "market1501", "cuhk03", "csv_table", ...
        root: str, or None. The folder (or CSV file) that holds it; data sets that make
            their own images need none.
        **options: the data set's own options.

    Returns:
        `ReIDDataset`.

    Raises:
        InputError: the name or an option is unknown, or the data set cannot be read
            from `root`.
    """
    if root is not None and (not isinstance(root, str | Path) or "\0" in str(root)):
        raise InputError(f"The root of a data set must be the path of a folder or file. Received: root={root!r}.")
    dataset: ReIDDataset = DATASETS.build({"name": name, **options}, root=root)
    return dataset
