"""Several data sets as one: a training on all of their people."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.map_records import map_records
from reid_tf.datasets.record import JUNK, Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS

logger = logging.getLogger(__name__)

NAME = "as"  # the key by which a source gets another name than its data set's


@DATASETS.register("sources")
def sources(root: str | None = None, *, sources: Sequence[Mapping[str, Any]]) -> ReIDDataset:
    """Joins data sets, each with people and cameras of its own.

    People and cameras are numbered anew, source by source, so that no two sources share
    any; the query of one source is searched for among the galleries of all. Attributes
    stay where all sources have the same ones.

    Args:
        root: None. Each source names its own.
        sources: components, two or more: `name`, `root` and the data set's options,
            and `as`, another name, where two sources are of one kind.

    Returns:
        `ReIDDataset`; its `camera_sources` tell where a record comes from.

    Raises:
        InputError: a root is given, there are fewer than two sources, two have one
            name, or one cannot be read.
    """
    if root is not None:
        raise InputError(f"Each of the sources names its own root. Received: root={root!r} for all.")
    if len(sources) < 2:
        raise InputError(f"sources needs two data sets or more. Received: {len(sources)}.")
    named: dict[str, ReIDDataset] = {}
    for component in sources:
        if "name" not in component:
            form = "{name: ..., root: ..., option: value}"
            raise InputError(f"A source must be given as {form}. Received: {dict(component)!r}.")
        name = component.get(NAME, component["name"])
        if name in named:
            raise InputError(f"Two sources are named {name!r}: give one of them another name with '{NAME}: ...'.")
        named[name] = load_dataset(**{key: value for key, value in component.items() if key != NAME})
    schemas = {dataset.attribute_schema for dataset in named.values()}
    schema = schemas.pop() if len(schemas) == 1 else None
    if schemas:
        logger.warning("The sources have different attributes, or some have none: none are used.")
    joined = _Joined()
    parts = [joined.add(name, dataset, with_attributes=schema is not None) for name, dataset in named.items()]
    train, query, gallery, multi_query = (
        tuple(record for part in parts for record in part.splits()[split])
        for split in ("train", "query", "gallery", "multi_query")
    )
    return ReIDDataset(
        "sources",
        train,
        query,
        gallery,
        multi_query=multi_query,
        attribute_schema=schema,
        identity_names=joined.identity_names,
        camera_sources=joined.camera_sources,
    )


class _Joined:
    """Numbers that no two sources share."""

    def __init__(self) -> None:
        self.identity_names: dict[int, str] = {}
        self.camera_sources: dict[int, str] = {}

    def add(self, name: str, dataset: ReIDDataset, with_attributes: bool) -> ReIDDataset:
        """Returns a source with new numbers for its people and cameras, which are remembered."""
        records = [record for split in dataset.splits().values() for record in split]
        identities = sorted({record.identity for record in records} - {JUNK})
        cameras = sorted({record.camera for record in records})
        first = len(self.identity_names), len(self.camera_sources)
        new_identity = {JUNK: JUNK, **{old: first[0] + number for number, old in enumerate(identities)}}
        new_camera = {old: first[1] + number for number, old in enumerate(cameras)}
        own = dataset.identity_names or {}
        self.identity_names |= {new_identity[old]: f"{name}/{own.get(old, old)}" for old in identities}
        self.camera_sources |= dict.fromkeys(new_camera.values(), name)

        def renumbered(record: Record) -> Record:
            attributes = record.attributes if with_attributes else None
            return dataclasses.replace(
                record,
                identity=new_identity[record.identity],
                camera=new_camera[record.camera],
                attributes=attributes,
            )

        return map_records(renumbered, dataset)
