"""One configuration over the values of one or more options: a run directory each, one table, one plot."""

import dataclasses
import hashlib
import itertools
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_tf.config import ExperimentConfig
from reid_tf.encoder.description import read_manifest
from reid_tf.errors import InputError
from reid_tf.files import claimed
from reid_tf.report.sweep import write_sweep_report
from reid_tf.report.sweep_rows import SweepRow
from reid_tf.schema import read_object
from reid_tf.studies.own_process import train_in_own_process
from reid_tf.studies.runs import check_files, check_same, is_interrupted, overrides
from reid_tf.studies.sweep_file import Repetitions, ReportedCurves, check_values

logger = logging.getLogger(__name__)

_LONGEST_NAME = 120  # a file system takes 255 bytes, and ".unfinished" comes after it


@dataclasses.dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Args:
        name: str. Of its folder: the options and their values, as far as a file name
            can hold them.
        values: mapping from the path of each varied option to the value.
        config: `ExperimentConfig` with these values.
        reported: mapping from metric to the share in [0, 1] that is reported for them.
        repetition: mapping from the path of the option that repeats a row to this run's
            value; empty where nothing is repeated.
    """

    name: str
    values: dict[str, Any]
    config: ExperimentConfig
    reported: dict[str, float]
    repetition: dict[str, Any] = dataclasses.field(default_factory=dict)


def plan_sweep(
    vary: Mapping[str, Sequence[Any]],
    load: Callable[[Sequence[str]], ExperimentConfig],
    reported: ReportedCurves | None = None,
    repeat: Repetitions | None = None,
) -> tuple[SweepRun, ...]:
    """Turns values into runs, every configuration of which is checked.

    Args:
        vary: mapping from the path of an option, as `load_config()` takes it, to its
            values.
        load: function of further overrides ("key.path=value" strings) that returns the
            checked configuration.
        reported: `ReportedCurves` over the values of the only option, or None.
        repeat: `Repetitions` of every combination, or None.

    Returns:
        tuple of `SweepRun`, the last option's values changing fastest, repetitions
        faster still.

    Raises:
        InputError: there are no values, two of them give the same configuration, a
            repeated option is varied too, or a configuration is wrong.
    """
    check_values({option: tuple(values) for option, values in vary.items()}, repeat)
    repetitions = [{repeat.key: value} for value in repeat.values] if repeat else [{}]
    runs: list[SweepRun] = []
    for number, combination in enumerate(itertools.product(*vary.values())):
        values = dict(zip(vary, combination, strict=True))
        curves = reported.percent if reported else {}
        shares = {metric: round(percent[number] / 100, 6) for metric, percent in curves.items()}
        for repetition in repetitions:
            given = {**values, **repetition}
            config = load(overrides(given))
            for other in runs:
                if other.config == config:
                    there = {**other.values, **other.repetition}
                    raise InputError(f"Two runs of a sweep must differ. Received: {there} and {given}.")
            runs.append(SweepRun(run_name(given), values, config, shares, repetition))
    return tuple(runs)


def run_name(values: Mapping[str, Any]) -> str:
    """Returns a folder name for option values: "augment.random_erasing.probability=0.3".

    Args:
        values: mapping from the path of an option to its value.

    Returns:
        str, another one for other values, also where a file system does not tell
        capitals apart. Where a value has characters that do not suit a file name, or
        the name would be long, a part of its hash is at the end.
    """
    text = ",".join(f"{option}={_plain(value)}" for option, value in values.items())
    if len(text) <= _LONGEST_NAME and re.fullmatch(r"[a-z0-9_.+=,-]+", text):
        return text
    digest = hashlib.sha256(json.dumps(dict(values)).encode()).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_.+=,-]+', '-', text)[:_LONGEST_NAME]}-{digest[:8]}"


def run_sweep(runs: Sequence[SweepRun], out: str | Path, source: str | None = None) -> list[SweepRow]:
    """Trains what is not trained yet, one run after another, and writes tables and plot after each of them.

    A finished run is read, not repeated, and an interrupted one goes on where it was. A
    run that fails does not keep the others from running: its row says why.

    Args:
        runs: sequence of `SweepRun`, as `plan_sweep()` returns them.
        out: str or Path. The folder that holds a run directory each, `sweep.csv`,
            `sweep.md` and `sweep.png`, and of repetitions `runs.csv`.
        source: str or None. Who reports the runs' reported figures.

    Returns:
        list of `SweepRow`, one per run; where `error` is not "", the run failed.

    Raises:
        InputError: a folder holds a run of another configuration, another process writes
            into `out`, or a data set cannot be read; nothing is trained then.
    """
    with claimed(out, folder=True):
        return _run_sweep(runs, Path(out), source)


def _run_sweep(runs: Sequence[SweepRun], out: Path, source: str | None) -> list[SweepRow]:
    rows = [_read(run, out / run.name) for run in runs]
    waiting = [number for number, row in enumerate(rows) if not row.figures]
    check_files([runs[number].config for number in waiting])
    write_sweep_report(out, rows, source)
    for number in waiting:
        run, folder = runs[number], out / runs[number].name
        logger.info("run %d of %d: %s", number + 1, len(runs), run.name)
        error = train_in_own_process(run.config, folder, is_interrupted(folder))
        if error:
            logger.error("The run %s failed: %s", run.name, error)
        rows[number] = dataclasses.replace(rows[number], error=error) if error else _read(run, folder)
        write_sweep_report(out, rows, source)
    return rows


def _plain(value: Any) -> str:
    """A value's text; a string that could be taken for something else, or for several values, has its quotes."""
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_.-]*", value) and value not in ("true", "false", "null"):
        return value
    return json.dumps(value)


def _read(run: SweepRun, folder: Path) -> SweepRow:
    """What a run's folder knows of it, after a look whether it is this run's."""
    row = SweepRow(run.values, run.name, reported=run.reported, repetition=run.repetition)
    check_same(run.config, folder)
    if not folder.exists():
        return row
    metrics, seconds = read_object(folder / "metrics.json"), read_manifest(folder).seconds
    figures = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    return dataclasses.replace(row, figures=figures, seconds=seconds)
