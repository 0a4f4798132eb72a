"""Time of the evaluation that draws single-shot galleries, beside one evaluation on the whole gallery.

Descriptors are random, in Market-1501's numbers. The two sides take turns in one
process; the ratio is the median over the turns.
"""

import argparse
import statistics

import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.ranking import MATCHABLE, embeddings, seconds
from reid_tf.retrieval.metrics import evaluate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sizes, the number of draws and the number of repeats to a parser."""
    parser.add_argument("--queries", type=command_line.COUNT, default=3368, help="number of queries (%(default)s)")
    parser.add_argument(
        "--gallery", type=command_line.COUNT, default=15913, help="number of gallery images (%(default)s)"
    )
    parser.add_argument(
        "--dimensions", type=command_line.COUNT, default=2048, help="length of a descriptor (%(default)s)"
    )
    parser.add_argument(
        "--draws", type=command_line.COUNT, nargs="+", default=[10, 100], help="numbers of draws (10 100)"
    )
    parser.add_argument("--repeats", type=command_line.COUNT, default=5, help="repeats of each side (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    generator = np.random.default_rng(0)
    matchable = round(arguments.gallery * MATCHABLE / 15913)
    query = embeddings(generator, arguments.queries, arguments.queries, arguments.dimensions)
    gallery = embeddings(generator, arguments.gallery, matchable, arguments.dimensions)

    def single_shot(draws: int) -> float:
        return seconds(lambda: evaluate(query, gallery, protocol="cuhk03_single_shot", draws=draws))

    evaluate(query, gallery)  # to warm up
    print(f"{'draws':>6} {'evaluate s':>11} {'single shot s':>14} {'ratio':>6} {'(range)':>13}")
    for draws in arguments.draws:
        turns = [(seconds(lambda: evaluate(query, gallery)), single_shot(draws)) for _ in range(arguments.repeats)]
        ratios = [drawn / full for full, drawn in turns]
        full, drawn = (statistics.median(side) for side in zip(*turns, strict=True))
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{draws:>6} {full:>11.2f} {drawn:>14.2f} {statistics.median(ratios):>6.2f} {spread:>13}")
