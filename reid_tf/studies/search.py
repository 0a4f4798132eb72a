"""A search for good option values: trials on validation, one table, one plot, the best configuration as a file."""

import contextlib
import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import grpc

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.summary import data_hash
from reid_tf.errors import InputError
from reid_tf.files import claimed, write_json
from reid_tf.report.tuning import TrialRow
from reid_tf.studies.plan import Search
from reid_tf.studies.runs import check_files
from reid_tf.studies.tuner import TrialTuner, quiet
from reid_tf.studies.tuner_service import TunerService

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search has found.

    Args:
        rows: tuple of `TrialRow`, in the order of the trials.
        error: str. Why nothing was found or the search ended before its last trial, or
            "".
    """

    rows: tuple[TrialRow, ...]
    error: str = ""


def run_search(search: Search, trials: int, out: str | Path, service: TunerService | None = None) -> SearchResult:
    """Runs trials, one after another, and writes tables, plot and the best configuration after each of them.

    A trial is a `train_trial()` in a process of its own. A search that was interrupted
    goes on where it was, in the middle of a trial too, and with more trials than before
    it continues. A trial that fails does not keep the others from running, and is not
    repeated; after three in a row the search ends, and begun again it tries the next.

    Args:
        search: `Search`, as `plan_search()` returns it.
        trials: int >= 1. Of the whole search, including those that earlier calls have
            run. Where a list of values has fewer combinations, there are fewer.
        out: str or Path. The folder that holds `trials.csv`, `trials.md`, `trials.png`,
            `best.yaml`, `search.json` (what is searched), `trials/` with one folder per
            trial, and KerasTuner's state.
        service: `TunerService`, or None where this process does all. The chief proposes
            trials and writes the tables, workers train; all see the folder `out`. The
            trial of a worker that went away is given to another one, which goes on with
            it.

    Returns:
        `SearchResult`; a worker's is empty.

    Raises:
        InputError: there are no trials, the folder holds another search or a state that
            cannot be read or is written by another process, or the data set cannot be
            read; nothing is trained then. Of a service: the chief or its folder is not
            there, its search is another one, or its port is in use.
    """
    if trials < 1:
        raise InputError(f"A search needs at least one trial. Received: trials={trials}.")
    if service and not service.is_chief:
        return _work(search, trials, Path(out), service)
    with claimed(out, folder=True):
        return _run_search(search, trials, Path(out), service)


def _work(search: Search, trials: int, out: Path, service: TunerService) -> SearchResult:
    service.join()
    if not (out / "search.json").exists():
        raise InputError(
            f"A worker of a search must see the folder that the chief writes, and there is no 'search.json' in "
            f"{str(out)!r}."
        )
    _check_same_search(_described(search), out)
    tuner = TrialTuner(search, trials, out, service)
    try:
        with quiet():
            tuner.search()
    except grpc.RpcError as error:
        raise InputError(
            f"The chief of the search at {service.address!r} went away; start it again, and this worker too: the "
            "search goes on."
        ) from error
    return SearchResult(())


def _described(search: Search) -> dict[str, Any]:
    return {**search.describe(), "data_hash": data_hash(load_dataset(**search.base.dataset))}


def _run_search(search: Search, trials: int, out: Path, service: TunerService | None) -> SearchResult:
    check_files([search.base])
    described = _described(search)
    _check_same_search(described, out)
    if service:
        service.join()
    tuner = TrialTuner(search, trials, out, service)
    write_json(out / "search.json", described)
    if tuner.oracle.trials:
        tuner.report()
    with quiet(), service.watching(tuner.oracle) if service else contextlib.nullcontext():
        tuner.search()
    if not tuner.error and len(tuner.oracle.trials) < trials:
        logger.info("All combinations of values have been tried: %d of %d trials.", len(tuner.oracle.trials), trials)
    rows = tuner.rows()
    failed = [f"{row.number} ({row.error.rstrip('.')})" for row in rows if row.error]
    error = tuner.error
    if not error and len(failed) == len(rows):
        error = f"All {len(rows)} trials failed: {'; '.join(failed)}."
    return SearchResult(tuple(rows), error)


def _check_same_search(wanted: dict[str, Any], out: Path) -> None:
    path = out / "search.json"
    if not path.exists():
        return
    there = json.loads(path.read_text())
    there.setdefault("data_hash", wanted["data_hash"])  # searches of 0.1.0 do not say it
    for key in {**wanted, **there}:
        if key == "dataset":
            same = {**there[key], "root": None} == {**wanted[key], "root": None}  # where it lies does not count
        else:
            same = there.get(key) == wanted.get(key)
        if not same:
            raise InputError(
                f"{str(out)!r} holds another search, with {key}={there.get(key)!r}; give another --out or remove it. "
                f"Received: {key}={wanted.get(key)!r}."
            )
