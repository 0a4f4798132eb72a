"""What a run validates on: identities held out of the training split, or the data set's own test splits."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.errors import InputError
from reid_tf.options import Whole
from reid_tf.registry import VALIDATIONS


@VALIDATIONS.register("held_out")
def held_out(dataset: ReIDDataset, *, share: float = 0.1, seed: Whole = 0) -> ReIDDataset:
    """Moves whole identities out of the training split and makes queries and a gallery of them.

    An identity can be held out when two or more cameras see it; in a data set where
    none is seen by two, when it has two or more images. Each gives its first image of
    every camera as a query and its other images to the gallery; where it has only one
    image per camera, the last one goes to the gallery, so that every held-out identity
    can be found.

    Args:
        dataset: `ReIDDataset`.
        share: float in (0, 1). How many of the identities that can be held out are. 0.1
            leaves the training split nearly whole and still ranks some dozens of
            identities of the usual data sets.
        seed: int. Which identities they are.

    Returns:
        `ReIDDataset` with the rest as train and the held-out images as query and
        gallery; its multi-query is empty.

    Raises:
        InputError: the share is outside (0, 1), or leaves no identity to train on or to
            validate on.
    """
    _check_share(share)
    images: dict[int, list[Record]] = defaultdict(list)
    for record in dataset.train:
        images[record.identity].append(record)
    identities = sorted(images)
    across = [identity for identity in identities if len({record.camera for record in images[identity]}) > 1]
    candidates = across or [identity for identity in identities if len(images[identity]) > 1]
    number = round(share * len(candidates))
    if not 0 < number < len(identities):
        raise InputError(
            f"share must leave identities on both sides: {number} of {len(identities)} training identities would be "
            f"held out ({len(candidates)} can be). Received: share={share}."
        )
    chosen = set(np.random.default_rng(seed).permutation(candidates)[:number].tolist())
    query: list[Record] = []
    gallery: list[Record] = []
    for identity in sorted(chosen):
        first, others = _first_of_each_camera(images[identity])
        query += first if others else first[:-1]
        gallery += others or first[-1:]
    train = tuple(record for record in dataset.train if record.identity not in chosen)
    return dataclasses.replace(dataset, train=train, query=tuple(query), gallery=tuple(gallery), multi_query=())


@VALIDATIONS.register("by_order")
def by_order(dataset: ReIDDataset, *, share: float = 0.7, queries: Whole = 100, seed: Whole = 0) -> ReIDDataset:
    """Trains on the identities that come first and validates on the rest, some of whose images are queries.

    Identities stay in ascending order until their images are the wanted share of the
    training images; the identity in which it is reached still trains. Every other image
    is in the gallery, the queries too, so the query image itself must not count as
    found: the protocols `single_camera` and `market1501` both see to that.

    Args:
        dataset: `ReIDDataset`.
        share: float in (0, 1). The least share of the images that trains.
        queries: int >= 1. Random validation images to search with; all of them where
            there are fewer.
        seed: int. Which images they are.

    Returns:
        `ReIDDataset` with train, query and gallery from the training split; its
        multi-query is empty.

    Raises:
        InputError: the share is outside (0, 1), or leaves no identity to validate on,
            or there are no queries.

    References:
        Lorenzini, Luchetta and Planchenstainer, Deep Learning Classification and
        Re-Identification of People, sections 2.2 and 3.6.4.
    """
    _check_share(share)
    if queries < 1:
        raise InputError(f"queries must be at least 1. Received: queries={queries}.")
    identities, images = np.unique([record.identity for record in dataset.train], return_counts=True)
    reached = np.cumsum(images) >= share * len(dataset.train) - 1e-6  # 0.1 * 30 is a little more than 3
    trained = set(identities[: reached.argmax() + 1].tolist()) if len(identities) else set()
    validated = tuple(record for record in dataset.train if record.identity not in trained)
    if not validated:
        raise InputError(
            f"share must leave identities to validate on: the first {len(trained)} of {len(identities)} training "
            f"identities would train. Received: share={share}."
        )
    chosen = np.sort(np.random.default_rng(seed).permutation(len(validated))[:queries])
    return dataclasses.replace(
        dataset,
        train=tuple(record for record in dataset.train if record.identity in trained),
        query=tuple(validated[index] for index in chosen),
        gallery=validated,
        multi_query=(),
    )


@VALIDATIONS.register("test")
def test(dataset: ReIDDataset) -> ReIDDataset:
    """Returns the data set unchanged: validation on its own query and gallery.

    Many published figures are made like this. Whoever chooses the epoch, or anything
    else, by it has seen the test split, and the final figure is optimistic.

    Args:
        dataset: `ReIDDataset`.

    Returns:
        `ReIDDataset`, the same.
    """
    return dataset


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"share must be between 0 and 1, both excluded. Received: share={share}.")


def _first_of_each_camera(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    first: list[Record] = []
    others: list[Record] = []
    cameras = set()
    for record in records:
        (others if record.camera in cameras else first).append(record)
        cameras.add(record.camera)
    return first, others
