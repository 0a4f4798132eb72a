"""Embedding on Ray beside the plain command, on the same images and cores.

Each engine embeds the run's gallery images, repeated as often as it takes, in a process
of its own: a tenth of the images and all of them. "Seconds" are the whole, from opening
the encoder to the file on the disk; images/s are those between the two numbers, so that
what a start takes does not count. Engines take turns; figures are medians.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.processes import in_own_process
from reid_tf.options import Within
from reid_tf.report.table import table_head, table_row

HEADER = ("engine", "images", "seconds", "images/s", "ratio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the run, its data and the number of images to a parser."""
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run")
    command_line.add_data_argument(parser)
    parser.add_argument(
        "--count", type=command_line.number(int, Within(10)), default=100_000, help="images (%(default)s)"
    )
    parser.add_argument("--rounds", type=command_line.COUNT, default=3, help="(%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    engines, counts = (plain, on_ray), (arguments.count // 10, arguments.count)
    seconds = np.array(
        [
            [[in_own_process(engine, arguments.run, arguments.data, count) for count in counts] for engine in engines]
            for _ in range(arguments.rounds)
        ]
    )
    rates = (counts[1] - counts[0]) / (seconds[..., 1] - seconds[..., 0])  # [rounds, engines]
    print(table_head(HEADER))
    for number, engine in enumerate(engines):
        row = [engine.__name__.replace("_", " "), f"{counts[1]:,}", f"{np.median(seconds[:, number, 1]):.1f}"]
        ratio = np.median(rates[:, number] / rates[:, 0])
        print(table_row([*row, f"{np.median(rates[:, number]):,.0f}", f"{ratio:.2f}"]))


def plain(run: str, data: str | None, count: int) -> float:
    """Embeds as the plain command does.

    Args:
        run: str.
        data: str, or None. Where the run's images lie, if not where they were.
        count: int. Images.

    Returns:
        float. Seconds.
    """
    from reid_tf.encoder.embed import embed
    from reid_tf.encoder.load import load_encoder

    records = _records(run, data, count)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        embed(load_encoder(run), records, verbose=0).save(Path(folder) / "out.npz")
        return time.perf_counter() - started


def on_ray(run: str, data: str | None, count: int) -> float:
    """Embeds on Ray; its arguments are those of `plain`.

    Args:
        run: str.
        data: str, or None.
        count: int.

    Returns:
        float. Seconds.
    """
    from reid_tf.encoder.fleet.ray_engine import embed_on_ray, opener

    records = _records(run, data, count)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        embed_on_ray(opener(run), records, Path(folder) / "out")
        return time.perf_counter() - started


def _records(run: str, data: str | None, count: int) -> list[Any]:
    given = argparse.Namespace(run=run, dataset=None, option=[], data=data)
    dataset = command_line.run_and_dataset(given)[1]
    return list(itertools.islice(itertools.cycle(dataset.gallery), count))
