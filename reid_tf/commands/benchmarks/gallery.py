"""Adding to a gallery and searching it, in a folder and on a server, beside exact search in memory.

Rows are unit vectors of people, twenty of each, scattered about a random one; under ten
cameras. Searches are for one vector each, all cameras but one; p50 and p99 are of a
hundred of them. Recall is the share of the ten truly nearest rows that the store finds.
Bytes a row are those by which the folder, or the server's data and memory have grown.
A server is searched when it has indexed all rows; until then it finds fewer.
Peers are the package's own `rank` and, where it is installed, FAISS's exact index, both
over the vectors in memory and without a filter.
"""

import argparse
import contextlib
import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.processes import resident_bytes
from reid_tf.commands.benchmarks.ranking import seconds
from reid_tf.gallery.about import VERSION, About
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.sighting import Sighting
from reid_tf.gallery.store import Store
from reid_tf.report.table import table_head, table_row
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.ranking import rank

CAMERAS, K, SEARCHES, ROWS_EACH = 10, 10, 100, 20
LONGEST = 7200.0  # seconds that a server may index
HEADER = (
    "store",
    "rows",
    "adding, rows/s",
    "indexing, s",
    "bytes a row",
    "in memory",
    "opening, s",
    "search p50, ms",
    "p99, ms",
    "recall of 10",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the numbers of rows, the length of a vector and a server's address to a parser."""
    parser.add_argument(
        "--rows", type=command_line.COUNT, nargs="+", default=[20_000, 100_000], help="numbers of rows (20000 100000)"
    )
    parser.add_argument("--dimensions", type=command_line.COUNT, default=512, help="length of a vector (%(default)s)")
    parser.add_argument("--server", metavar="URL", help="also a Milvus server, whose rows are lost")
    parser.add_argument("--server-data", metavar="DIR", help="the server's data, where they are on this machine")
    parser.add_argument(
        "--server-process", type=command_line.COUNT, metavar="ID", help="the server's process, if it is on this machine"
    )
    parser.add_argument(
        "--skip", nargs="+", choices=("folder", "memory"), default=[], help="leave out a folder, or search in memory"
    )


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    print(table_head(HEADER), flush=True)
    for rows in arguments.rows:
        generator = np.random.default_rng(0)
        people = generator.standard_normal((rows // ROWS_EACH + 1, arguments.dimensions), np.float32)
        vectors = _scattered(generator, people[np.arange(rows) // ROWS_EACH])
        queries = _scattered(generator, people[generator.integers(0, len(people), SEARCHES)])
        if "folder" not in arguments.skip:
            with tempfile.TemporaryDirectory() as folder:
                uri = Path(folder) / "gallery"
                print(_stored("folder", uri, vectors, queries, functools.partial(_held, uri, None)), flush=True)
        if arguments.server:
            held = functools.partial(_held, arguments.server_data, arguments.server_process)
            print(_stored("server", arguments.server, vectors, queries, held), flush=True)
        for name, found in _peers(vectors, queries) if "memory" not in arguments.skip else ():
            print(table_row([name, f"{rows:,}", *[""] * 5, *found, "1.000"]), flush=True)


def _scattered(generator: np.random.Generator, people: np.ndarray) -> np.ndarray:
    """Unit vectors about others, half of whose length is chance."""
    vectors = people + generator.standard_normal(people.shape, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


Held = tuple[int | None, int | None]  # bytes of a store on disk and in memory, where they are known


def _held(data: str | Path | None, process: int | None) -> Held:
    return _bytes(data) if data else None, resident_bytes(process) if process else None


def _stored(name: str, uri: str | Path, vectors: np.ndarray, queries: np.ndarray, held: Callable[[], Held]) -> str:
    count, dimensions = vectors.shape
    before = held()
    with contextlib.closing(Store(uri)) as store:
        about = About(VERSION, dimensions, "cosine")
        store.create(about.to_dict(), dimensions, about.metric)
    with Gallery(uri, timeout=300) as gallery:
        adding = seconds(lambda: gallery.add(_sightings(vectors), batch_size=1000))
        indexing = seconds(lambda: gallery.index(LONGEST))
    opening = seconds(lambda: Gallery(uri).close())
    with Gallery(uri, timeout=300) as gallery:
        gallery.search(vector=queries[0], k=K)  # the first one prepares
        times, found = [], []
        for number, query in enumerate(queries):
            started = time.perf_counter()
            results = gallery.search(vector=query, k=K, not_camera=number % CAMERAS)
            times.append(time.perf_counter() - started)
            found.append({int(result.entry.path) for result in results})
        sizes = [
            "" if now is None else f"{(now - (was or 0)) / count:,.0f}" for now, was in zip(held(), before, strict=True)
        ]
        if isinstance(uri, str):
            gallery.delete(everything=True)
    recall = f"{_recall(vectors, queries, found):.3f}"
    return table_row(
        [
            name,
            f"{count:,}",
            f"{count / adding:,.0f}",
            f"{indexing:.0f}" if isinstance(uri, str) else "",
            *sizes,
            f"{opening:.2f}",
            *_percentiles(times),
            recall,
        ]
    )


def _sightings(vectors: np.ndarray) -> Iterator[Sighting]:
    for number, vector in enumerate(vectors):
        yield Sighting(vector=vector, path=str(number), camera=number % CAMERAS)


def _recall(vectors: np.ndarray, queries: np.ndarray, found: Sequence[set[int]]) -> float:
    cameras, hits = np.arange(len(vectors)) % CAMERAS, 0
    for number, (query, rows) in enumerate(zip(queries, found, strict=True)):
        likeness = np.where(cameras == number % CAMERAS, -np.inf, vectors @ query)
        hits += len(rows & set(np.argsort(-likeness)[:K].tolist()))
    return hits / (K * len(queries))


def _peers(vectors: np.ndarray, queries: np.ndarray) -> Iterator[tuple[str, list[str]]]:
    nobody = np.zeros(len(vectors), np.int64)
    gallery = Embeddings(vectors, nobody, nobody)
    sides = [Embeddings(query[np.newaxis], nobody[:1], nobody[:1]) for query in queries]
    yield "rank, in memory", _percentiles([seconds(functools.partial(rank, side, gallery, K)) for side in sides])
    try:
        import faiss
    except ImportError:
        return
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    searches = [functools.partial(index.search, query[np.newaxis], K) for query in queries]
    yield "FAISS exact, in memory", _percentiles([seconds(search) for search in searches])


def _percentiles(times: Sequence[float]) -> list[str]:
    return [f"{1000 * value:.1f}" for value in np.percentile(times, [50, 99])]


def _bytes(folder: str | Path) -> int:
    size = 0
    for file in Path(folder).rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a server removes files meanwhile
            size += file.stat().st_size if file.is_file() else 0
    return size
