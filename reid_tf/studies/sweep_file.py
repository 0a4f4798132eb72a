"""A sweep as one typed object, read from YAML."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reid_tf.config import check_keys
from reid_tf.config_file import read_yaml
from reid_tf.errors import InputError
from reid_tf.options import convert, unknown

METRICS = ("rank1", "rank5", "rank10", "mAP", "mAP_trapezoid", "mINP", "PCK")


@dataclasses.dataclass(frozen=True)
class ReportedCurves:
    """What somebody else reports for the same values.

    Args:
        source: str. Who, as in a legend after "reported by": "the paper, table 2".
        percent: mapping from metric ("rank1", "mAP", ...) to percentages, one for each
            value, in the values' order.
    """

    source: str
    percent: dict[str, tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class Repetitions:
    """What makes several runs of one row: seeds, or the splits of a data set.

    Args:
        key: str. The path of an option, as `--set` takes it: "seed", "dataset.split".
        values: tuple of at least two values of it. Every varied row is run with each.
    """

    key: str
    values: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """One configuration over the values of one or more options.

    Args:
        config: str. The experiment file, relative to the folder of the sweep file.
        vary: mapping from the path of an option, as `--set` takes it, to its values. Of
            several options every combination is run. It may be empty where runs are
            repeated.
        repeat: `Repetitions`, or None for one run of each combination.
        set: "key.path=value" strings. Further overrides, the same for all runs.
        reported: `ReportedCurves` over the values of the only varied option, or None.
    """

    config: str
    vary: dict[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    repeat: Repetitions | None = None
    set: tuple[str, ...] = ()
    reported: ReportedCurves | None = None


def load_sweep(path: str | Path) -> SweepConfig:
    """Reads a sweep file and checks it; the overrides are checked with the configuration, by `plan_sweep()`.

    Args:
        path: str or Path. A YAML file with the fields of `SweepConfig`.

    Returns:
        The checked `SweepConfig`, its `config` a path that can be opened from here.

    Raises:
        InputError: the file is missing or not a YAML mapping, a key or value is wrong,
            or the reported figures do not fit the values.
    """
    sweep = parse_sweep(read_yaml(path, "sweep"))
    return dataclasses.replace(sweep, config=str(Path(path).parent / sweep.config))


def parse_sweep(tree: Any) -> SweepConfig:
    """Turns plain mappings and lists into a checked `SweepConfig`.

    Args:
        tree: mapping with the fields of `SweepConfig`.

    Returns:
        The checked `SweepConfig`.

    Raises:
        InputError: as `load_sweep()`.
    """
    check_keys(tree, SweepConfig, "a sweep")
    if tree.get("reported") is not None:
        check_keys(tree["reported"], ReportedCurves, "a sweep's 'reported'")
    if tree.get("repeat") is not None:
        check_keys(tree["repeat"], Repetitions, "a sweep's 'repeat'")
    sweep: SweepConfig = convert(dict(tree), SweepConfig, "The sweep")
    check_values(sweep.vary, sweep.repeat)
    if sweep.reported is not None:
        _check_reported(sweep.reported, sweep.vary)
    return sweep


def check_values(vary: Mapping[str, tuple[Any, ...]], repeat: Repetitions | None = None) -> None:
    """Raises an `InputError` where nothing is varied or repeated, values are missing, or a repeated option is varied.

    Args:
        vary: mapping as in `SweepConfig`.
        repeat: `Repetitions`, or None.
    """
    if not (vary or repeat) or not all(vary.values()):
        raise InputError(f"A sweep varies an option over at least one value. Received: vary={dict(vary)!r}.")
    if repeat is None:
        return
    if len(repeat.values) < 2:
        raise InputError(
            f"Repetitions need at least two values of an option, such as seed=[1,2,3]. Received: {repeat.key}="
            f"{list(repeat.values)}."
        )
    if repeat.key in vary:
        raise InputError(
            f"An option is either varied or repeated, not both. Received: {repeat.key!r} in 'vary' and in 'repeat'."
        )


def _check_reported(reported: ReportedCurves, vary: Mapping[str, tuple[Any, ...]]) -> None:
    if len(vary) > 1:
        raise InputError(f"Reported figures belong to the values of one option. Received: {', '.join(vary)}.")
    ((option, values),) = vary.items()
    for metric, percent in reported.percent.items():
        if metric not in METRICS:
            raise InputError(unknown("reported metric", metric, METRICS))
        if len(percent) != len(values):
            raise InputError(
                f"The reported {metric!r} needs a figure for each of the {len(values)} values of {option!r}. "
                f"Received: {len(percent)}."
            )
        # Fractions by mistake would be drawn as a curve at the bottom.
        if not (min(percent) >= 0 and 1 < max(percent) <= 100):
            raise InputError(
                f"The reported {metric!r} must be percentages, from 0 to 100 and not all below 1. "
                f"Received: {list(percent)}."
            )
