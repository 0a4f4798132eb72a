"""Encoders compared on data sets: figures with their intervals, paired tests of the differences, and what they cost."""

import dataclasses
import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.images import load_pixels
from reid_tf.errors import InputError
from reid_tf.files import write_csv, write_json, written_beside
from reid_tf.report.table import markdown_table
from reid_tf.report.trust_table import percent_interval
from reid_tf.retrieval.intervals import LEAST_PEOPLE, Interval, PairedTest, count_people, paired_test, rank_intervals
from reid_tf.retrieval.metrics import RetrievalMetrics, evaluate

_MARKERS = "osD^vPX*"
_CALLS = 20  # of which the median is the latency


@dataclasses.dataclass(frozen=True, eq=False)
class Cell:
    """One encoder on one data set.

    Args:
        metrics: `RetrievalMetrics`.
        intervals: mapping as `rank_intervals()` gives, or None where there are too few
            people.
        images_per_second: float. Read, resized and embedded, 64 at once.
    """

    metrics: RetrievalMetrics
    intervals: Mapping[str, Interval] | None
    images_per_second: float


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """A matrix of encoders and data sets.

    Args:
        cells: mapping from (encoder, data set) to `Cell`.
        tests: mapping from (first encoder, second encoder, data set) to `PairedTest`;
            without data sets of too few people.
        latencies: mapping from encoder to the seconds of a call with one image, in
            memory and of the encoder's size.
    """

    cells: Mapping[tuple[str, str], Cell]
    tests: Mapping[tuple[str, str, str], PairedTest]
    latencies: Mapping[str, float]


def compare(
    encoders: Mapping[str, Encoder], datasets: Sequence[ReIDDataset], protocol: str = "market1501", batch_size: int = 64
) -> Comparison:
    """Evaluates every encoder on every data set, each by its own distance, and tests their differences.

    Args:
        encoders: mapping from a name to `Encoder`.
        datasets: sequence of `ReIDDataset`, each of another name.
        protocol: str. As in `evaluate()`.
        batch_size: int. Images embedded at once.

    Returns:
        `Comparison`.

    Raises:
        InputError: there are fewer than one encoder and one data set, two data sets
            have one name, or as `embed()` and `evaluate()`.
    """
    names = [dataset.name for dataset in datasets]
    if not encoders or not names or len(set(names)) < len(names):
        raise InputError(
            f"A comparison needs encoders and data sets of different names. Received: {[*encoders]} on {names}."
        )
    cells, tests = {}, {}
    for dataset in datasets:
        identities = np.array([record.identity for record in dataset.query])
        for name, encoder in encoders.items():
            cells[name, dataset.name] = _cell(encoder, dataset, protocol, batch_size)
        for first, second in itertools.combinations(encoders, 2):
            pair = [cells[name, dataset.name] for name in (first, second)]
            if pair[0].intervals is not None:
                tests[first, second, dataset.name] = paired_test(pair[0].metrics, pair[1].metrics, identities)
    latencies = {name: _latency(encoder, datasets[0].query[0]) for name, encoder in encoders.items()}
    return Comparison(cells, tests, latencies)


def _cell(encoder: Encoder, dataset: ReIDDataset, protocol: str, batch_size: int) -> Cell:
    embed(encoder, dataset.query[:batch_size], batch_size, verbose=0)  # the first call prepares, and is not timed
    started = time.perf_counter()
    query, gallery = (embed(encoder, records, batch_size) for records in (dataset.query, dataset.gallery))
    seconds = time.perf_counter() - started
    metrics = evaluate(query, gallery, encoder.distance, protocol=protocol)
    enough = count_people(metrics, query.identities) >= LEAST_PEOPLE
    intervals = rank_intervals(metrics, query.identities) if enough else None
    return Cell(metrics, intervals, (len(query) + len(gallery)) / seconds)


def _latency(encoder: Encoder, record: Record) -> float:
    landmarks = None if record.landmarks is None else record.landmarks[np.newaxis]
    if encoder.needs_landmarks and encoder.detector is None and landmarks is None:
        return float("nan")
    image = load_pixels([record.path], encoder.image_size)

    def seconds() -> float:
        started = time.perf_counter()
        encoder(image, landmarks=landmarks)
        return time.perf_counter() - started

    return statistics.median(seconds() for _ in range(_CALLS))


def write_comparison(folder: str | Path, comparison: Comparison) -> str:
    """Writes `comparison.md`, `.csv`, `.json` and `.png`.

    Args:
        folder: str or Path. Made when missing.
        comparison: `Comparison`.

    Returns:
        str. What the .md file holds: the matrix, the tests and the speeds.
    """
    folder = Path(folder)
    tables = comparison_tables(comparison)
    with written_beside(folder / "comparison.md") as beside:
        beside.write_text(tables + "\n", encoding="utf-8")
    rows = _rows(comparison)
    write_csv(folder / "comparison.csv", rows)
    tests = [
        {"first": first, "second": second, "dataset": dataset, **dataclasses.asdict(test)}
        for (first, second, dataset), test in comparison.tests.items()
    ]
    write_json(folder / "comparison.json", {"cells": rows, "tests": tests})
    _picture(folder / "comparison.png", comparison)
    return tables


def comparison_tables(comparison: Comparison) -> str:
    """Writes the matrix of figures, the paired tests and the speeds as Markdown tables and sentences.

    Args:
        comparison: `Comparison`.

    Returns:
        str of several lines, without a line break at its end.
    """
    encoders, datasets = (list(dict.fromkeys(names)) for names in zip(*comparison.cells, strict=True))
    matrix = [["rank-1 / mAP, %, with 95 % intervals", *datasets]]
    speeds = [["speed", *(f"images/s, {dataset}" for dataset in datasets), "ms a call of one image"]]
    for name in encoders:
        cells = [comparison.cells[name, dataset] for dataset in datasets]
        matrix.append([name, *map(_figures, cells)])
        latency = comparison.latencies[name]
        shown = "-" if np.isnan(latency) else f"{1000 * latency:.1f}"
        speeds.append([name, *(f"{cell.images_per_second:.1f}" for cell in cells), shown])
    sentences = [_sentence(*names, test) for names, test in comparison.tests.items()]
    return "\n\n".join([markdown_table(matrix), *(["\n".join(sentences)] if sentences else []), markdown_table(speeds)])


def _figures(cell: Cell) -> str:
    figures = []
    for name, value in (("rank1", cell.metrics.rank(1)), ("mAP", cell.metrics.mean_average_precision)):
        interval = f" ({percent_interval(cell.intervals[name])})" if cell.intervals else ""
        figures.append(f"{100 * value:.1f}{interval}")
    return " / ".join(figures)


def _sentence(first: str, second: str, dataset: str, test: PairedTest) -> str:
    return (
        f"- {dataset}: {second} is better than {first} on {test.better:.0%} of the people and worse on "
        f"{test.worse:.0%}; mAP over people {100 * test.difference:+.1f} points "
        f"({100 * test.interval.low:+.1f} to {100 * test.interval.high:+.1f}), p = {test.p_value:.2g}."
    )


def _rows(comparison: Comparison) -> list[dict[str, Any]]:
    rows = []
    for (name, dataset), cell in comparison.cells.items():
        row: dict[str, Any] = {"encoder": name, "dataset": dataset}
        for figure, value in (("rank1", cell.metrics.rank(1)), ("mAP", cell.metrics.mean_average_precision)):
            low, high = cell.intervals[figure] if cell.intervals else (None, None)
            row |= {figure: value, f"{figure}_low": low, f"{figure}_high": high}
        latency = comparison.latencies[name]
        milliseconds = None if np.isnan(latency) else 1000 * latency
        rows.append(row | {"images_per_second": cell.images_per_second, "latency_ms": milliseconds})
    return rows


def _picture(path: Path, comparison: Comparison) -> None:
    """Draws mAP over the time of a call: a marker for each encoder, a colour for each data set."""
    encoders, datasets = (list(dict.fromkeys(names)) for names in zip(*comparison.cells, strict=True))
    figure = Figure(figsize=(7, 5), layout="constrained")  # no pyplot, as in curves.py
    axes = figure.add_subplot()
    for (name, dataset), cell in comparison.cells.items():
        value, latency = cell.metrics.mean_average_precision, comparison.latencies[name]
        low, high = cell.intervals["mAP"] if cell.intervals else (value, value)
        axes.errorbar(
            1000 * (0.0 if np.isnan(latency) else latency),
            100 * value,
            yerr=[[100 * max(value - low, 0)], [100 * max(high - value, 0)]],
            marker=_MARKERS[encoders.index(name) % len(_MARKERS)],
            color=f"C{datasets.index(dataset)}",
            capsize=3,
            linestyle="",
            label=f"{name} on {dataset}",
        )
    axes.set(xlabel="a call with one image, ms", ylabel="mAP (step) with its 95 % interval, %")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center")
    with written_beside(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
