"""Embedding on Ray: on the cores of this machine or of a cluster, block after block, whatever is interrupted."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from reid_tf.datasets.record import Record
from reid_tf.encoder.fleet.parts import describe_part, packed, part_name, read_part
from reid_tf.encoder.fleet.places import fetch
from reid_tf.errors import InputError, one_line, require_package
from reid_tf.files import claimed, unfinished, write_json, written_beside
from reid_tf.options import host_and_port, whole_number
from reid_tf.progress import progress_bar
from reid_tf.quiet import quiet_tensorflow, without_remarks
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import check_same_encoder

logger = logging.getLogger(__name__)

BLOCK = 32_768  # opening the pipeline of one takes as long as a thousand small images
_REMARKS = re.compile(rb"^\[.*Set ray log level")


@dataclasses.dataclass(frozen=True)
class FleetEmbeddings:
    """What became of a fleet's images.

    Args:
        folder: Path. Holds `part-*.parquet`, see `fleet.parts`, and `images.json`.
        count: int. Images embedded.
        dim: int. Width of the vectors.
        refused: dict from the path of an image that could not be embedded to a
            sentence.
    """

    folder: Path
    count: int
    dim: int
    refused: dict[str, str]


def embed_on_ray(
    open_encoder: Callable[[], Any],
    records: Sequence[Record],
    out: str | Path,
    *,
    address: str | None = None,
    encoders: int | None = None,
    block_size: int = BLOCK,
    batch_size: int = 64,
    each: Callable[[Embeddings], None] = lambda embeddings: None,
) -> FleetEmbeddings:
    """Embeds images with an encoder in each of several processes, and writes their vectors as Parquet.

    A block's file appears when it is complete, in `out` + ".unfinished", and the folder
    gets its name when all are there; begun again after an interruption, finished blocks
    are not embedded again. An image that cannot be read does not stop the others.

    Args:
        open_encoder: function without arguments that returns an `Encoder` on the
            machine that calls it, and can be pickled.
        records: sequence of `Record`. Paths that every machine sees, or URLs.
        out: str or Path. The folder to write, on this machine.
        address: str, or None. Of a running Ray cluster ("auto", "ray://host:10001");
            None starts Ray on this machine for the time being.
        encoders: int >= 1, or None for one on each machine, or on each GPU. Processes
            that embed.
        block_size: int >= 1. Images of a file.
        batch_size: int >= 1. Images that go through a model at once.
        each: function that is given the `Embeddings` of each block, after its file is
            written and before it counts as finished; it may be given a block twice.

    Returns:
        `FleetEmbeddings`.

    Raises:
        InputError: Ray is not installed or its cluster does not answer or is of another
            version, the encoder cannot be opened there, the folder exists or holds
            other images or another encoder's vectors, or another process writes it.
    """
    require_package("ray", "The engine 'ray'", "'reid_tf[ray]'")
    final, size = Path(out), whole_number("block_size", block_size)
    if final.exists():
        raise InputError(f"The folder {str(final)!r} exists already; give another name or remove it.")
    with claimed(final, folder=True):
        work = unfinished(final)
        count = -(-len(records) // size)
        _begin(work, records, size)
        there = {block for block in range(count) if _done(work, block).exists()}
        encoder = None
        if there:
            logger.info("%d of %d blocks are there already", len(there), count)
            encoder = read_part(work / part_name(min(there)))[0].encoder
        blocks = [(block, records[block * size : (block + 1) * size]) for block in range(count) if block not in there]
        with progress_bar(what="embedding", unit="image", total=sum(len(part) for _, part in blocks)) as progress:
            for block, content in _embedded(open_encoder, blocks, address, encoders, batch_size):
                path = work / part_name(block)
                with written_beside(path) as beside:
                    beside.write_bytes(content)
                embeddings, _ = read_part(path)
                encoder = encoder or embeddings.encoder
                check_same_encoder("The blocks that are there", encoder, "a new one", embeddings.encoder)
                each(embeddings)
                _done(work, block).touch()
                progress.update(min(size, len(records) - block * size))
        return _finish(work, final, count)


def _begin(work: Path, records: Sequence[Record], size: int) -> None:
    digest = hashlib.sha256(json.dumps([_plain(record) for record in records]).encode()).hexdigest()
    about = {"images": len(records), "block_size": size, "sha256": digest}
    path = work / "images.json"
    if path.exists():
        begun = json.loads(path.read_text())
        if begun != about:
            raise InputError(
                f"{str(work)!r} holds the embeddings of other images or blocks, {begun}; remove it, or give another "
                f"--out. Received: {about}."
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    write_json(path, about)


def _done(work: Path, block: int) -> Path:
    return work / f".{part_name(block)}.done"


def _finish(work: Path, final: Path, count: int) -> FleetEmbeddings:
    images, dim = 0, 0
    refused: dict[str, str] = {}
    for block in range(count):
        rows, dim, reasons = describe_part(work / part_name(block))
        images += rows
        refused |= reasons
    os.replace(work, final)
    for block in range(count):
        _done(final, block).unlink()
    return FleetEmbeddings(final, images, dim, refused)


def _embedded(
    open_encoder: Callable[[], Any],
    blocks: Sequence[tuple[int, Sequence[Record]]],
    address: str | None,
    encoders: int | None,
    batch_size: int,
) -> Iterator[tuple[int, bytes]]:
    """Yields the number and the Parquet file of each block, as soon as it is there."""
    if not blocks:
        return
    # Both are read when Ray is imported.
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray.data.exceptions import SystemException

    with _connected(address):
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        wanted = min(encoders or gpus or len(nodes), len(blocks))
        fewest = int(min(node.get("CPU", 1) for node in nodes))
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = [{"block": block, "records": json.dumps([_plain(record) for record in part])} for block, part in blocks]
        data = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _BlockEmbedder,
            fn_constructor_args=(open_encoder, batch_size),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=wanted),
            num_cpus=max(1, fewest // -(-wanted // len(nodes))),  # so that each machine has its share of them
            num_gpus=1 if gpus else 0,
        )
        made = iter(data.iter_rows())
        try:
            for row in made:
                if row["problem"]:
                    raise InputError(row["problem"])
                yield int(row["block"]), row["content"]
        except (ray.exceptions.RayError, SystemException) as error:
            raise InputError(f"An encoder on Ray failed: {one_line(error, 400)}.") from error
        finally:
            _stop(made)


def _stop(made: Iterator[Any]) -> None:
    """Ends what Ray Data still does behind rows: it must not find that Ray is gone."""
    close = getattr(made, "close", None)
    if close is not None:
        close()


def _plain(record: Record) -> tuple[str, int, int]:
    return record.path, record.identity, record.camera


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[None]:
    import ray

    begun = not ray.is_initialized()
    if address and not begun:
        raise InputError(f"Ray is connected already, so that no address can be given. Received: {address!r}.")
    if begun:
        _check_answers(address)
        try:
            with without_remarks(_REMARKS):
                ray.init(
                    address or "local",  # None would join whatever cluster there is
                    include_dashboard=None if address else False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            where = f"the Ray cluster at {address!r}" if address else "Ray on this machine"
            raise InputError(f"{where[0].upper()}{where[1:]} cannot be used: {one_line(error)}.") from error
    try:
        yield
    finally:
        if begun:
            ray.shutdown()


def _check_answers(address: str | None) -> None:
    """Says at once what Ray says after minutes: that nothing is at the address."""
    if address in (None, "auto", "local"):
        return
    try:
        socket.create_connection(host_and_port(address.rpartition("://")[2]), timeout=10).close()
    except OSError as error:
        raise InputError(f"No Ray cluster answers at {address!r} ({error.strerror or error}).") from error


class _BlockEmbedder:
    """One encoder in a process of Ray's; called with a block, it returns the block's Parquet file."""

    def __init__(self, open_encoder: Callable[[], Any], batch_size: int) -> None:
        quiet_tensorflow()
        self.open_encoder, self.batch_size = open_encoder, batch_size
        self.encoder: Any = None

    def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        records = [Record(*values) for values in json.loads(str(rows["records"][0]))]
        content, problem = b"", ""
        try:  # Ray would put a sentence into a page of other processes' errors
            self.encoder = self.encoder or self.open_encoder()
            content = packed(*embed_what_can_be(self.encoder, records, self.batch_size))
        except InputError as error:
            problem = str(error)
        return {"block": rows["block"], "content": [content], "problem": [problem]}


def embed_what_can_be(
    encoder: Any, records: Sequence[Record], batch_size: int = 64
) -> tuple[Embeddings, dict[str, str]]:
    """Embeds the images that can be had and read.

    Args:
        encoder: `Encoder`.
        records: sequence of `Record`, whose paths may be URLs.
        batch_size: int. Images that go through the model at once.

    Returns:
        `Embeddings` under the records' own paths, and a dict from the path of each
        other image to a sentence.

    Raises:
        InputError: none of the images under URLs can be had.
    """
    from reid_tf.encoder.embed import embed
    from reid_tf.encoder.images import load_sound

    with tempfile.TemporaryDirectory(prefix="reid_tf-images-") as folder:
        fetched = fetch(records, folder)
        places, near, refused = list(fetched.records), list(fetched.records.values()), dict(fetched.refused)
        embeddings = None
        with contextlib.suppress(InputError):  # then each image says for itself what is wrong with it
            embeddings = embed(encoder, near, batch_size, verbose=0) if near else None
        if embeddings is None:
            wrong: dict[int, str] = {}
            for first in range(0, len(near), batch_size):
                images = [record.path for record in near[first : first + batch_size]]
                wrong |= load_sound(images, encoder.image_size, first)[1]
            refused |= {places[row]: reason for row, reason in wrong.items()}
            near = [record for row, record in enumerate(near) if row not in wrong]
            places = [place for row, place in enumerate(places) if row not in wrong]
            embeddings = embed(encoder, near, batch_size, verbose=0) if near else _none_of(encoder)
        named = tuple(records[place].path for place in places)
        reasons = {records[place].path: reason for place, reason in sorted(refused.items())}
        return dataclasses.replace(embeddings, paths=named), reasons


def _none_of(encoder: Any) -> Embeddings:
    import numpy as np

    return Embeddings(np.zeros((0, encoder.dim)), np.zeros(0, int), np.zeros(0, int), (), encoder.fingerprint)


def opener(run: str, detector: dict[str, Any] | None = None, flip: bool = False) -> Callable[[], Any]:
    """Returns a function that opens a run's or an export's encoder wherever it is called.

    Args:
        run: str. A path that every machine sees.
        detector: component, or None.
        flip: bool. Whether embeddings are means over an image and its mirror image,
            even if the run's are not.
    """
    return functools.partial(_opened, os.path.abspath(run), detector, flip)


def _opened(run: str, detector: dict[str, Any] | None, flip: bool) -> Any:
    from reid_tf.encoder.load import load_encoder

    encoder = load_encoder(run, detector)
    return encoder.with_options(flip=encoder.flip or flip)
