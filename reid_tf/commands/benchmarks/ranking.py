"""Time and memory of evaluating, ranking and re-ranking, beside the bare matrix product that none can do without.

Descriptors are random, in the numbers of Market-1501 and of CUHK03: clusters of images
of 750 identities, and distractors. Each row is measured in a process of its own, in
alternating repeats of the work and of the bare product: queries with the gallery, or,
where a whole gallery is re-ranked, all images with all. The peak memory is how far the
first call, before anything else is computed, lifts the process's highest resident size
above that of the inputs, libraries' buffers and threads included. Peers,
called once, are a plain program of whole matrices and, where torchreid is installed, its
re-ranking.
"""

import argparse
import dataclasses
import functools
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.dense_reranking import dense_reranking, torchreid_reranking
from reid_tf.report.table import table_head, table_row
from reid_tf.retrieval.embeddings import Embeddings, row_blocks
from reid_tf.retrieval.expansion import expand_queries
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.ranking import rank, rerank
from reid_tf.retrieval.reranking import Reranking

QUERIES, GALLERY, DIMENSIONS = 3368, 15913, 2048  # Market-1501's, of a ResNet-50
MATCHABLE = 13115  # of the gallery images; the others are distractors
IDENTITIES = 750
CAMERAS = 6
SPREAD = 1.5  # of the images of one identity, whose centres are spread by 1
HARD_SPREAD = 2.6  # at which ranking is hard
ROWS_AT_ONCE = 512
SHORTLIST = 2000
SHORTLISTS = (500, 1000, 2000)
HEADER = ("work", "queries, gallery, dimensions", "bare product, s", "work, s", "ratio (range)", "peak, MiB")

Work = Callable[[Embeddings, Embeddings], object]


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: str.
        work: function of queries and gallery, one that a process can be given.
        queries: int.
        gallery: int.
        dimensions: int.
        all_with_all: bool. Whether the bare product is that of all images.
        once: bool. Whether the work is called once only.
    """

    name: str
    work: Work
    queries: int = QUERIES
    gallery: int = GALLERY
    dimensions: int = DIMENSIONS
    all_with_all: bool = False
    once: bool = False


def rank_50(query: Embeddings, gallery: Embeddings) -> object:
    """The fifty nearest."""
    return rank(query, gallery, 50)


def rerank_50(query: Embeddings, gallery: Embeddings) -> object:
    """The fifty nearest after re-ranking the whole gallery."""
    return rerank(query, gallery, 50)


def rerank_shortlist(query: Embeddings, gallery: Embeddings) -> object:
    """The fifty nearest after re-ranking shortlists."""
    return rerank(query, gallery, 50, shortlist=SHORTLIST)


def rows(distractors: int) -> list[Row]:
    """Returns the lines of the table.

    Args:
        distractors: int. Gallery images of 512 dimensions that further lines have; 0
            for none.
    """
    small = functools.partial(Row, queries=1400, gallery=5332, dimensions=512, all_with_all=True)  # CUHK03's numbers
    large = functools.partial(Row, gallery=GALLERY + distractors, dimensions=512, once=True)
    table = [
        Row("evaluate", evaluate),
        Row("rank", rank_50),
        Row("expand_queries", expand_queries),
        small("rerank", rerank_50),
        small("whole matrices", dense_reranking, once=True),
        small("torchreid", torchreid_reranking, once=True),
        Row("rerank", rerank_50, all_with_all=True),
    ]
    if distractors:
        table += [large("evaluate", evaluate), large("rerank, shortlist", rerank_shortlist)]
    return table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the number of repeats and of distractors, and a choice of rows, to a parser."""
    parser.add_argument("--repeats", type=command_line.COUNT, default=5, help="repeats of each side (%(default)s)")
    parser.add_argument("--only", default="", metavar="WORD", help="the rows whose name begins so: evaluate, rank ...")
    parser.add_argument(
        "--distractors",
        type=command_line.WHOLE,
        default=0,
        help=f"also evaluate, and re-rank shortlists of {SHORTLIST:,}, with this many more gallery images; 500000 take "
        "5 GB and some minutes",
    )
    parser.add_argument("--shortlists", action="store_true", help="also the mAP that shortlists cost")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    print(table_head(HEADER), flush=True)
    for row in rows(arguments.distractors):
        if row.name.startswith(arguments.only):
            # A process of its own, because a process's highest size never falls.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                print(pool.submit(measure, row, arguments.repeats).result(), flush=True)
    if arguments.shortlists:
        print()
        for line in shortlist_costs():
            print(line, flush=True)


def shortlist_costs() -> Iterator[str]:
    """Yields the lines of a table of what shortlists cost in mAP, in Market-1501's numbers, where ranking is hard."""
    generator = np.random.default_rng(0)
    query = embeddings(generator, QUERIES, QUERIES, 512, HARD_SPREAD)
    gallery = embeddings(generator, GALLERY, MATCHABLE, 512, HARD_SPREAD)
    yield table_head(("ranking", "mAP", "rank-1", "s"))
    ways: list[tuple[str, Reranking | None]] = [("plain", None), ("re-ranked, all", Reranking())]
    ways += [(f"re-ranked, {length:,}", Reranking(shortlist=length)) for length in SHORTLISTS]
    for name, reranking in ways:
        began = time.perf_counter()
        found = evaluate(query, gallery, reranking=reranking).to_dict()
        took = time.perf_counter() - began
        yield table_row([name, f"{100 * found['mAP']:.2f}", f"{100 * found['rank1']:.2f}", f"{took:.1f}"])


def measure(row: Row, repeats: int) -> str:
    """Measures one line of the table and returns it."""
    generator = np.random.default_rng(0)
    query = embeddings(generator, row.queries, row.queries, row.dimensions)
    gallery = embeddings(generator, row.gallery, min(row.gallery, MATCHABLE), row.dimensions)
    sizes = f"{row.queries:,}, {row.gallery:,}, {row.dimensions:,}"
    inputs = _peak_bytes()
    try:
        works = [seconds(lambda: row.work(query, gallery))]
    except ModuleNotFoundError as error:
        return table_row([row.name, sizes, *[""] * 3, str(error)])
    peak = _peak_bytes() - inputs
    products = [seconds(lambda: _product(query, gallery, row.all_with_all))]
    if not row.once:
        works, products = [], []  # the first of each was to warm up
        for _ in range(repeats):
            products.append(seconds(lambda: _product(query, gallery, row.all_with_all)))
            works.append(seconds(lambda: row.work(query, gallery)))
    ratios = [work / product for work, product in zip(works, products, strict=True)]
    product, work = statistics.median(products), statistics.median(works)
    spread = "" if row.once else f" ({min(ratios):.2f}-{max(ratios):.2f})"
    ratio = f"{work / product:.2f}{spread}"
    return table_row([row.name, sizes, f"{product:.2f}", f"{work:.2f}", ratio, f"{peak / 2**20:,.0f}"])


def embeddings(
    generator: np.random.Generator, count: int, matchable: int, dimensions: int, spread: float = SPREAD
) -> Embeddings:
    """Returns random descriptors of which so many show one of Market-1501's identities, in clusters."""
    centres = np.random.default_rng(1).standard_normal((IDENTITIES, dimensions), np.float32)
    identities = np.zeros(count, np.int64)  # 0: Market-1501's distractors
    identities[:matchable] = 1 + np.arange(matchable) % IDENTITIES
    vectors = np.empty((count, dimensions), np.float32)
    for rows in row_blocks(count, ROWS_AT_ONCE):  # no temporary that would lift the peak before the measurement
        generator.standard_normal(dtype=np.float32, out=vectors[rows])
        vectors[rows] *= spread
        known = rows.start + np.flatnonzero(identities[rows])
        vectors[known] += centres[identities[known] - 1]
    return Embeddings(vectors, identities, generator.integers(1, 1 + CAMERAS, count))


def _product(query: Embeddings, gallery: Embeddings, all_with_all: bool) -> None:
    # In blocks: the whole result would take up to 7 GB.
    sides = (query.vectors, gallery.vectors)
    for one in sides if all_with_all else sides[:1]:
        for other in sides if all_with_all else sides[1:]:
            for rows in row_blocks(len(one), ROWS_AT_ONCE):
                one[rows] @ other.T


def seconds(work: Callable[[], object]) -> float:
    """Returns how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where getrusage also counts the process that this one was started by
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
