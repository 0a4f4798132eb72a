"""How well people are told apart on drawn streets, and what the way from frames to people costs.

Encoders are judged at the calibrated threshold, where they have one, and at the best of
forty thresholds, which nobody knows beforehand: colours and the untrained network get the
benefit of it. Figures are means over the streets. Frames a second are those that are
looked at, of all cameras.
"""

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.commands import command_line
from reid_tf.datasets.pedestrians.street import Street as Drawn
from reid_tf.datasets.readers.video import frames_or_reasons
from reid_tf.encoder.encoder import Encoder
from reid_tf.footage.camera import CameraFootage, read_cameras, sampled
from reid_tf.footage.follow import Followed, Sampling, follow
from reid_tf.footage.footage import People
from reid_tf.footage.judge import Judgement, Matches, judge, match
from reid_tf.footage.kept import Kept, join
from reid_tf.footage.people import DESCRIPTORS, Tracklets, find_people
from reid_tf.footage.street import TRUTH_FOLDER, draw_street
from reid_tf.report.table import markdown_table
from reid_tf.retrieval.colour_histogram import colour_histogram

THRESHOLDS = np.linspace(0.02, 0.8, 40)
HEADER = ["encoder", "threshold", "IDF1", "purity", "people"]
TRACKLETS, DIMENSIONS = 10_000, 256


class Timed:
    """Counts the seconds that an encoder takes."""

    def __init__(self, encoder: Any) -> None:
        self.encoder, self.seconds, self.dim = encoder, 0.0, encoder.dim

    def __call__(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        found = self.encoder(*arguments)
        self.seconds += time.perf_counter() - began
        return found


class Colours:
    """Colour histograms in the place of an encoder's vectors."""

    dim = colour_histogram(np.zeros((8, 8, 3), np.uint8)).size

    def __call__(self, crops: list[np.ndarray]) -> np.ndarray:
        return np.stack([colour_histogram(crop) for crop in crops])


@dataclasses.dataclass(frozen=True, eq=False)
class Street:
    """A drawn street: its footage, and what its boxes truly show."""

    cameras: tuple[CameraFootage, ...]
    matches: Matches


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the runs and the streets to a parser."""
    parser.add_argument(
        "--run", nargs="+", required=True, metavar="DIR", help="calibrated runs, the first also untrained"
    )
    parser.add_argument("--streets", type=command_line.COUNT, default=3, help="streets of three cameras (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its tables."""
    import keras

    from reid_tf.encoder.load import load_encoder

    loaded = {Path(run).name: load_encoder(run) for run in arguments.run}
    first = next(iter(loaded.values()))
    untrained = Encoder(keras.models.clone_model(first.model), first.inputs, first.image_size)
    encoders: dict[str, Any] = {"colour histogram": Colours(), "untrained network": untrained, **loaded}
    rows, shares = [HEADER], []
    with tempfile.TemporaryDirectory() as folder:
        streets = []
        for seed in range(arguments.streets):
            table = draw_street(Path(folder) / str(seed), Drawn(seed=seed))
            cameras = read_cameras(table)
            streets.append(Street(cameras, match(cameras, table.parent / TRUTH_FOLDER)))
        for name, encoder in encoders.items():
            kept = []
            for street in streets:
                tracklets, seconds = _followed(encoder, street.cameras)
                kept.append(tracklets)
            shares.append((name, seconds))
            calibration = getattr(encoder, "calibration", None)
            if calibration is not None:
                for what, limit in (("calibrated", calibration.threshold), ("p = 0.5", calibration.distance_at(0.5))):
                    rows.append([name, f"{what}, {limit:.2f}", *_judged(kept, limit, streets)])
            rows.append([name, *_at_best(kept, streets)])
        for name, encoder in loaded.items():
            for how in DESCRIPTORS[1:]:
                kept = [_followed(encoder, street.cameras, Sampling(descriptor=how))[0] for street in streets]
                rows.append([f"{name}, {how}", *_at_best(kept, streets)])
        print(markdown_table(rows), end="\n\n")
        print(_cost(streets[-1].cameras, shares[2:]))


def _at_best(kept: Sequence[Kept], streets: Sequence[Street]) -> list[str]:
    best = max(THRESHOLDS.tolist(), key=lambda limit: _idf1(kept, limit, streets))
    return [f"best, {best:.2f}", *_judged(kept, best, streets)]


def _followed(
    encoder: Any, cameras: tuple[CameraFootage, ...], sampling: Sampling | None = None
) -> tuple[Kept, dict[str, float]]:
    timed, parts = Timed(encoder), []
    encoder([np.zeros((64, 32, 3), np.uint8)] * 64)  # the first call compiles
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for footage in cameras:
            followed: Followed = follow(timed, footage, Path(folder), sampling or Sampling())  # type: ignore[arg-type]
            parts.append(Kept.of(followed, footage))
        whole = time.perf_counter() - began
    return join(parts), {"all": whole, "embedding": timed.seconds}


def _judgements(kept: Sequence[Kept], limit: float, streets: Sequence[Street]) -> list[Judgement]:
    pairs = zip(kept, streets, strict=True)
    return [judge(_people(tracklets, limit), street.matches) for tracklets, street in pairs]


def _judged(kept: Sequence[Kept], limit: float, streets: Sequence[Street]) -> list[str]:
    found = _judgements(kept, limit, streets)
    means = (100 * np.mean([getattr(one, name) for one in found]) for name in ("idf1", "purity"))
    return [*(f"{mean:.1f}" for mean in means), ", ".join(f"{one.people} of {one.true_people}" for one in found)]


def _idf1(kept: Sequence[Kept], limit: float, streets: Sequence[Street]) -> float:
    return float(np.mean([one.idf1 for one in _judgements(kept, limit, streets)]))


def _people(kept: Kept, limit: float) -> People:
    persons = find_people(kept.tracklets, limit) + 1
    return People(kept, persons, np.full(len(persons), np.nan))


def _cost(cameras: tuple[CameraFootage, ...], shares: list[tuple[str, dict[str, float]]]) -> str:
    began, frames = time.perf_counter(), 0
    for footage in cameras:
        chosen, _ = sampled(footage.read_boxes(), round(Sampling().every * footage.rate))
        frames += sum(1 for _ in frames_or_reasons(footage.video, chosen.tolist()))
    decoding = time.perf_counter() - began
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((TRACKLETS, DIMENSIONS), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    starts = generator.uniform(0, 36_000, TRACKLETS)
    names = np.array([str(number) for number in generator.integers(0, 6, TRACKLETS)])
    many = Tracklets(vectors, names, np.arange(TRACKLETS).astype(str), starts, starts + 5, np.ones(TRACKLETS, np.int64))
    began = time.perf_counter()
    find_people(many, 0.5)
    clustering = time.perf_counter() - began
    rows = [["encoder", "frames/s", "decoding", "embedding", "cropping and the rest"]]
    for name, seconds in shares:
        whole = seconds["all"]
        rest = max(0.0, whole - decoding - seconds["embedding"])
        parts = (f"{100 * part / whole:.0f} %" for part in (decoding, seconds["embedding"], rest))
        rows.append([name, f"{frames / whole:.0f}", *parts])
    return f"{markdown_table(rows)}\n\n{TRACKLETS:,} tracklets of {DIMENSIONS} become people in {clustering:.1f} s."
