"""Whose images may calibrate a run: people that it has not learnt from, and is not tested on."""

import logging
from pathlib import Path

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.datasets.summary import data_hash, summarise
from reid_tf.encoder.description import read_manifest
from reid_tf.errors import InputError
from reid_tf.options import Component
from reid_tf.registry import DATASETS, VALIDATIONS

logger = logging.getLogger(__name__)


def held_out_records(run: Path, validation: Component | None, dataset: ReIDDataset) -> tuple[Record, ...]:
    """Returns the images of the training split that the run held out for validation.

    Args:
        run: Path. The run directory.
        validation: component or None. The run's `evaluation.validation`.
        dataset: `ReIDDataset`. The run's own, loaded again.

    Returns:
        tuple of `Record` in the order of the training split.

    Raises:
        InputError: the run learnt from all of them, or the data set is not the one that
            it was trained on.
    """
    manifest = read_manifest(run)
    then = dict(manifest.dataset or {})
    if "name" in then:
        then["name"] = DATASETS.todays_name(then["name"])
    now = {"name": dataset.name, **summarise(dataset)}
    if now != then:
        raise InputError(
            f"These are not the images that the run {str(run)!r} was trained on, so it is unknown which it has "
            f"learnt from. Received: {now}; the run had {then}."
        )
    if data_hash(dataset) != manifest.data_hash:
        logger.warning("the images of %s, or their landmarks, have changed since the run was trained", dataset.name)
    learnt = VALIDATIONS.build(validation, dataset=dataset).train if validation else dataset.train
    paths = {record.path for record in learnt}
    records = tuple(record for record in dataset.train if record.path not in paths)
    if not records:
        raise InputError(
            f"The run {str(run)!r} learnt from all training identities and has none left to calibrate on: train with "
            "--set evaluation.validation.name=held_out, or name another data set (--dataset NAME --data ROOT), whose "
            f"query and gallery people the run has not learnt from. Received: evaluation.validation={validation}."
        )
    return records


def searched_records(run: Path, dataset: ReIDDataset) -> tuple[Record, ...]:
    """Returns the query images of another data set than the run's, and the gallery images of the same people.

    Distractors, which have one label for many people, and other gallery images are left
    out; an image that is in both splits is taken once.

    Args:
        run: Path. The run directory.
        dataset: `ReIDDataset`.

    Returns:
        tuple of `Record`, queries first.

    Raises:
        InputError: it is the data set that the run was trained on, its images do not
            say who they show, or there are no queries.
    """
    if data_hash(dataset) == read_manifest(run).data_hash:
        raise InputError(
            f"Query and gallery of {dataset.name!r} are the test set of the run {str(run)!r}, and a threshold that is "
            "chosen on it would flatter the test: leave --dataset out to take the run's held-out people, or name "
            "another data set."
        )
    if not dataset.names_test_people:
        raise InputError(
            f"A calibration needs to know who is shown, and query and gallery of {dataset.name!r} do not say it. "
            f"Received: {summarise(dataset)}."
        )
    searched = {record.identity for record in dataset.query}
    images = {record.path: record for record in dataset.query + dataset.gallery if record.identity in searched}
    if not images:
        raise InputError(
            f"The data set {dataset.name!r} has no queries to calibrate on: it holds {summarise(dataset)}."
        )
    return tuple(images.values())
