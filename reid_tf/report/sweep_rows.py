"""What is known of the runs of a sweep, and the means of those that are repetitions of one another."""

import dataclasses
import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

_OVER_DRAWS = "_spread"  # how the figures of one run end that say how its draws differ


@dataclasses.dataclass(frozen=True)
class SweepRow:
    """What is known of one run of a sweep.

    Args:
        values: mapping from the path of each varied option to this run's value.
        run: str. The name of the run's folder.
        figures: mapping from metric to a share in [0, 1] (float) or a number of images
            (int); empty where the run is not finished.
        seconds: float or None. How long the run took.
        reported: mapping from metric to the share in [0, 1] that somebody else reports
            for these values.
        error: str. Why the run failed, or "".
        repetition: mapping from the path of the option that repeats a row to this run's
            value; empty where nothing is repeated.
    """

    values: Mapping[str, Any]
    run: str
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    seconds: float | None = None
    reported: Mapping[str, float] = dataclasses.field(default_factory=dict)
    error: str = ""
    repetition: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def state(self) -> str:
        """Returns "finished", "failed" or "not run yet"."""
        return "failed" if self.error else "finished" if self.figures else "not run yet"


@dataclasses.dataclass(frozen=True)
class MeanRow:
    """The mean over the runs of equal varied values.

    Args:
        values: mapping as in `SweepRow`.
        figures: mapping from metric to its mean over the finished runs: a share
            (float), or a number of images (int, rounded); empty where none is finished.
        spreads: mapping from the shares among them to their standard deviation, with
            n - 1 in the denominator; empty below two finished runs.
        seconds: float or None. The mean time of a finished run.
        reported: mapping as in `SweepRow`.
        state: str. "finished" where all runs are, "failed" where one has failed, "not
            run yet" or else "unfinished".
        finished: int. The runs that the means are over.
        runs: int. All of them.
    """

    values: Mapping[str, Any]
    figures: Mapping[str, float]
    spreads: Mapping[str, float]
    seconds: float | None
    reported: Mapping[str, float]
    state: str
    finished: int
    runs: int


def mean_rows(rows: Sequence[SweepRow]) -> list[MeanRow]:
    """Returns the mean over the repetitions of each combination of varied values.

    How the draws within one run differ (`rank1_spread` of CUHK03's single shots) is
    left out: the spread of a mean is that over the runs.

    Args:
        rows: sequence of `SweepRow`.

    Returns:
        list of `MeanRow`, in the order in which the combinations first appear.
    """
    groups: dict[str, list[SweepRow]] = {}
    for row in rows:
        groups.setdefault(json.dumps(dict(row.values)), []).append(row)
    return [_mean(group) for group in groups.values()]


def _mean(rows: Sequence[SweepRow]) -> MeanRow:
    finished = [row for row in rows if row.state == "finished"]
    figures: dict[str, float] = {}
    spreads: dict[str, float] = {}
    for metric in dict.fromkeys(metric for row in finished for metric in row.figures):
        if metric.endswith(_OVER_DRAWS):
            continue
        measured = [row.figures[metric] for row in finished if metric in row.figures]
        mean = statistics.fmean(measured)
        if isinstance(measured[0], int):
            figures[metric] = round(mean)
            continue
        figures[metric] = mean
        if len(measured) > 1:
            spreads[metric] = statistics.stdev(measured)
    seconds = [row.seconds for row in finished if row.seconds is not None]
    return MeanRow(
        values=rows[0].values,
        figures=figures,
        spreads=spreads,
        seconds=statistics.fmean(seconds) if seconds else None,
        reported=rows[0].reported,
        state=_state(rows, len(finished)),
        finished=len(finished),
        runs=len(rows),
    )


def _state(rows: Sequence[SweepRow], finished: int) -> str:
    if any(row.error for row in rows):
        return "failed"
    if finished == len(rows):
        return "finished"
    return "unfinished" if finished else "not run yet"
