"""One change to every record of a data set."""

import dataclasses
from collections.abc import Callable

from reid_tf.datasets.record import Record, ReIDDataset


def map_records(function: Callable[[Record], Record], dataset: ReIDDataset) -> ReIDDataset:
    """Returns the data set with `function` applied to every record of every split, in order.

    Args:
        function: callable from `Record` to `Record`.
        dataset: `ReIDDataset`.

    Returns:
        `ReIDDataset`, equal but for its records.
    """
    return dataclasses.replace(
        dataset,
        train=tuple(map(function, dataset.train)),
        query=tuple(map(function, dataset.query)),
        gallery=tuple(map(function, dataset.gallery)),
        multi_query=tuple(map(function, dataset.multi_query)),
    )
