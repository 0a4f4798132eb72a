"""Time and memory of the retrieval evaluation, beside the bare matrix product that it cannot do without.

Descriptors are random, in Market-1501's numbers. The time of evaluate() and of `query @
gallery.T` is the median of alternating repeats in one process. The peak memory is how
far the first evaluation, before anything else is computed, lifts the process's highest
resident size above that of the inputs (getrusage), libraries' buffers and threads
included.
"""

import argparse
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from reid_tf.commands import command_line
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.embeddings import Embeddings, row_blocks
from reid_tf.retrieval.metrics import evaluate

IDENTITIES = 750
CAMERAS = 6
MATCHABLE = 13115  # of Market-1501's 15,913 gallery images; the others are distractors
ROWS_AT_ONCE = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sizes and the number of repeats to a parser."""
    parser.add_argument("--queries", type=command_line.COUNT, default=3368, help="number of queries (%(default)s)")
    parser.add_argument(
        "--gallery", type=command_line.COUNT, default=15913, help="number of gallery images (%(default)s)"
    )
    parser.add_argument(
        "--dimensions", type=command_line.COUNT, default=2048, help="length of a descriptor (%(default)s)"
    )
    parser.add_argument("--distance", default="cosine", choices=tuple(DISTANCES), help="default: %(default)s")
    parser.add_argument("--repeats", type=command_line.COUNT, default=7, help="repeats of each side (%(default)s)")
    parser.add_argument(
        "--distractors",
        type=command_line.WHOLE,
        default=0,
        help="also measure, once, with this many more gallery images; 500000 take 4.3 GB and some minutes",
    )


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    print(
        f"{'gallery':>9} {'product s':>10} {'evaluate s':>11} {'ratio':>6} {'(range)':>13} {'peak beyond inputs':>19}"
    )
    for distractors in dict.fromkeys((0, arguments.distractors)):
        # A process of its own, because a process's highest size never falls.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            print(pool.submit(_measure, arguments, distractors).result())


def _measure(arguments: argparse.Namespace, distractors: int) -> str:
    generator = np.random.default_rng(0)
    matchable = round(arguments.gallery * MATCHABLE / 15913)
    query = embeddings(generator, arguments.queries, arguments.queries, arguments.dimensions)
    gallery = embeddings(generator, arguments.gallery + distractors, matchable, arguments.dimensions)

    inputs = _peak_bytes()
    evaluations = [seconds(lambda: evaluate(query, gallery, arguments.distance))]
    peak = _peak_bytes() - inputs
    products = [seconds(lambda: _product(query, gallery))]
    if not distractors:
        evaluations, products = [], []  # the first of each was to warm up
        for _ in range(arguments.repeats):
            products.append(seconds(lambda: _product(query, gallery)))
            evaluations.append(seconds(lambda: evaluate(query, gallery, arguments.distance)))
    ratios = [evaluation / product for evaluation, product in zip(evaluations, products, strict=True)]
    product, evaluation = statistics.median(products), statistics.median(evaluations)
    return (
        f"{len(gallery):>9,} {product:>10.2f} {evaluation:>11.2f} {evaluation / product:>6.2f} "
        f"{f'{min(ratios):.2f}-{max(ratios):.2f}':>13} {peak / 2**20:>15,.0f} MiB"
    )


def embeddings(generator: np.random.Generator, count: int, matchable: int, dimensions: int) -> Embeddings:
    """Returns random descriptors of which so many show one of Market-1501's identities."""
    vectors = np.empty((count, dimensions), np.float32)
    for rows in row_blocks(count, ROWS_AT_ONCE):  # no temporary that would lift the peak before the measurement
        generator.standard_normal(dtype=np.float32, out=vectors[rows])
    identities = np.zeros(count, np.int64)  # 0: Market-1501's distractors
    identities[:matchable] = 1 + np.arange(matchable) % IDENTITIES
    return Embeddings(vectors, identities, generator.integers(1, 1 + CAMERAS, count))


def _product(query: Embeddings, gallery: Embeddings) -> None:
    # In one call at Market-1501's size. With 500,000 distractors the result would take 7 GB, so there it is cut up.
    rows_at_once = len(query) if len(gallery) < 100_000 else ROWS_AT_ONCE // 2
    for rows in row_blocks(len(query), rows_at_once):
        query.vectors[rows] @ gallery.vectors.T


def seconds(work: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
