"""Embedding on Ray beside the plain command, on the same images and cores.

Each engine embeds the run's gallery images, repeated as often as it takes, in a process
of its own: a tenth of the images and all of them. "Seconds" are the whole, from opening
the encoder to the file on the disk; images/s are those between the two numbers, so that
what a start takes does not count.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

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


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    print(table_head(HEADER), flush=True)
    rates: list[float] = []
    for engine in (plain, on_ray):
        few, many = (
            in_own_process(engine, arguments.run, arguments.data, count)
            for count in (arguments.count // 10, arguments.count)
        )
        rates.append((arguments.count - arguments.count // 10) / (many - few))
        row = [engine.__name__.replace("_", " "), f"{arguments.count:,}", f"{many:.1f}", f"{rates[-1]:,.0f}"]
        print(table_row([*row, f"{rates[-1] / rates[0]:.2f}"]), flush=True)


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
