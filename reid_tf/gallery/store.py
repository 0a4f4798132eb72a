"""A collection of Milvus: in a folder of this machine (Milvus Lite), or on a server."""

import contextlib
import functools
import importlib
import logging
import logging.config
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError, one_line, require_package
from reid_tf.files import claimed, no_room
from reid_tf.gallery.filters import LONGEST, one_of

FILE = "milvus.db"  # what the embedded form keeps in the folder; a folder itself
COLLECTION = "reid_tf"
ABOUT = f"{COLLECTION}_about"  # one row: which encoder, which version
ROWS_AT_ONCE = 1000  # of a query; also the most ids in an expression

_LEAST_INDEXED = 1024  # rows of a segment; Milvus searches smaller ones row by row
_PAUSE = 1.0  # seconds between two tries
_TEXTS = ("path", "camera", "track", "person", "note")
_INSTALL = "'reid_tf[gallery]'"


class Store:
    """Rows of vectors and fields, by id; what is put in is stored when the call returns.

    A server that does not answer is asked again until the timeout has passed.

    Args:
        uri: str or Path. A folder, or the address of a server, "http://host:19530".
        token: str. "user:password" of a server, or "".
        timeout: float. Seconds that a server may take to answer.

    Raises:
        InputError: pymilvus is not installed, the folder is no gallery or another
            process has it open, or the server does not answer.
    """

    def __init__(self, uri: str | Path, token: str = "", timeout: float = 30.0) -> None:
        require_package("pymilvus", "A gallery", _INSTALL)
        import_pymilvus()  # before milvus_lite, which would import it in its own way
        self.uri, self.is_server, self._timeout = str(uri), "://" in str(uri), timeout
        self._is_away = False
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as opened, self._answering():
            address = self.uri if self.is_server else _open_folder(Path(uri), opened)
            self._connect = functools.partial(_connected, address, token, timeout)
            self._client = self._connect()
            opened.callback(lambda: self._client.close())
            self._closing = opened.pop_all()

    def close(self) -> None:
        """Lets other processes open it."""
        self._closing.close()

    @property
    def about(self) -> dict[str, Any] | None:
        """What `create` was given, or None where there is nothing yet."""
        with self._answering():
            if not self._client.has_collection(ABOUT, timeout=self._timeout):
                return None
            rows = self._client.get(ABOUT, ids=["about"], timeout=self._timeout)
            found: dict[str, Any] | None = rows[0]["about"] if rows else None
            return found

    def create(self, about: Mapping[str, Any], dim: int, metric: str) -> None:
        """Makes the collections; what another process left half made is made anew.

        Args:
            about: mapping of JSON values.
            dim: int. Length of the vectors.
            metric: str. "COSINE" or "L2".
        """
        from pymilvus import DataType

        texts = dict.fromkeys(_TEXTS, DataType.VARCHAR)
        numbers = {"time": DataType.INT64, "quality": DataType.DOUBLE}
        objects = {"attributes": DataType.JSON, "outputs": DataType.JSON}
        with self._answering():
            self._create(COLLECTION, {**texts, **numbers, **objects}, dim, metric)
            self._create(ABOUT, {"about": DataType.JSON}, 2, "L2")
            # Last: with this row the gallery is whole.
            self._client.insert(ABOUT, [{"id": "about", "vector": [0.0, 1.0], "about": dict(about)}])

    def _create(self, name: str, fields: Mapping[str, Any], dim: int, metric: str) -> None:
        from pymilvus import DataType

        if self._client.has_collection(name):
            self._client.drop_collection(name)
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        for field, kind in fields.items():
            schema.add_field(field, kind, **({"max_length": LONGEST} if kind == DataType.VARCHAR else {}))
        index = self._client.prepare_index_params()
        if self.is_server:
            index.add_index("vector", index_type="HNSW", metric_type=metric, params={"M": 16, "efConstruction": 200})
        else:
            index.add_index("vector", index_type="FLAT", metric_type=metric)  # exact
        self._client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")

    def put(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds rows, or replaces those of the same ids."""
        if rows:
            self._ask("upsert", data=[dict(row) for row in rows])

    def search(self, vectors: np.ndarray, k: int, expression: str = "") -> list[list[tuple[float, dict[str, Any]]]]:
        """Finds the k nearest rows of each vector.

        Args:
            vectors: float32 [Q, dim].
            k: int.
            expression: str. As `Filter.expression()` gives it.

        Returns:
            for each vector, nearest first: (cosine or squared Euclidean distance,
            fields).
        """
        found = self._ask(
            "search",
            data=[vector.tolist() for vector in vectors],
            limit=k,
            filter=expression,
            output_fields=["*"],
            search_params={"params": {"ef": max(128, 4 * k)} if self.is_server else {}},
            # What this client has put in is seen. All that others have would cost a server's tick, 0.2 s.
            **({"consistency_level": "Session"} if self.is_server else {}),
        )
        return [[(hit["distance"], dict(hit["entity"])) for hit in hits] for hits in found]

    def index(self, wait: float) -> bool:
        """Has a server index the rows that it was given last; a folder is exact, and has no index.

        Args:
            wait: float. How many seconds to wait for it.

        Returns:
            bool. Whether it has.
        """
        if not self.is_server:
            return True
        self._ask("flush")
        until = time.monotonic() + wait
        while not self._is_indexed():
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        return True

    def _is_indexed(self) -> bool:
        """Whether all that is stored is searched by its index, or row by row where it is too little for one."""
        stored, loaded = self._ask("list_persistent_segments"), self._ask("list_loaded_segments")
        searched = sum(
            segment.num_rows
            for segment in loaded
            if segment.state.name == "Sealed" and (segment.index_name or segment.num_rows < _LEAST_INDEXED)
        )
        return bool(searched >= sum(segment.num_rows for segment in stored))

    def rows(self, expression: str = "", fields: Sequence[str] = ("*",)) -> Iterator[dict[str, Any]]:
        """Yields rows in no particular order, a thousand read at a time."""
        with self._answering():
            iterator = self._client.query_iterator(
                COLLECTION, ROWS_AT_ONCE, filter=expression, output_fields=list(fields), timeout=self._timeout
            )
        with contextlib.closing(iterator):
            while True:
                with self._answering():
                    batch = iterator.next()
                if not batch:
                    return
                yield from map(dict, batch)

    def get(self, ids: Sequence[str], fields: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
        """Returns the rows of some ids, those that there are, in no particular order."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), ROWS_AT_ONCE):
            some = ids[start : start + ROWS_AT_ONCE]
            found += self._ask("query", filter=one_of("id", some), output_fields=list(fields), limit=len(some))
        return [dict(row) for row in found]

    def count(self, expression: str = "") -> int:
        """Returns the number of rows."""
        (row,) = self._ask("query", filter=expression, output_fields=["count(*)"])
        return int(row["count(*)"])

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes rows by their ids."""
        for start in range(0, len(ids), ROWS_AT_ONCE):
            self._ask("delete", ids=list(ids[start : start + ROWS_AT_ONCE]))

    def _ask(self, method: str, **options: Any) -> Any:
        """Calls a method of the client on the rows, one that may be called twice.

        A client whose server has gone never finds it again: a new one is made, and asks
        again, until the timeout has passed.
        """
        from pymilvus.exceptions import MilvusException

        until, was_away = time.monotonic() + self._timeout, self._is_away
        while True:
            with self._answering():
                try:
                    if self._is_away:
                        self._client.close()
                        self._client = self._connect()
                        self._is_away = False
                    return getattr(self._client, method)(COLLECTION, timeout=self._timeout, **options)
                except MilvusException as error:
                    # Once it was away, other errors may mean that it is still starting.
                    was_away = was_away or (self.is_server and _is_connection(error))
                    self._is_away = was_away
                    if not was_away or time.monotonic() > until:
                        raise
            time.sleep(_PAUSE)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            yield
        except (MilvusException, RpcError) as error:
            room = no_room(error)
            if room:
                raise InputError(f"The gallery {self.uri!r} cannot be written: {room}.") from error
            raise InputError(f"The gallery {self.uri!r} does not answer as it should: {one_line(error)}.") from error


def _connected(address: str, token: str, timeout: float) -> Any:
    client = import_pymilvus().MilvusClient(address, token=token, timeout=timeout)
    for name in (COLLECTION, ABOUT):
        if client.has_collection(name, timeout=timeout):
            client.load_collection(name, timeout=timeout)
    return client


def _is_connection(error: Any) -> bool:
    from grpc import StatusCode
    from pymilvus.client.types import Status

    return error.code in (Status.CONNECT_FAILED, StatusCode.UNAVAILABLE)


def import_pymilvus() -> Any:
    """Imports pymilvus, without what its import does to the log of the whole program.

    Its own configuration would close every log handler that there is. And its log is
    kept free of what an `InputError` says in a sentence, and of what Milvus Lite lacks
    and replaces.
    """
    if "pymilvus" not in sys.modules:
        configure = logging.config.dictConfig
        logging.config.dictConfig = lambda config: None
        try:
            importlib.import_module("pymilvus")
        finally:
            logging.config.dictConfig = configure
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        logging.getLogger("grpc._server").addFilter(_is_news)
        for name in ("faiss", "milvus_lite"):  # their news would stand in a command's answer
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("milvus_lite.adapter.grpc.servicer").setLevel(logging.CRITICAL)  # its errors are raised
    return sys.modules["pymilvus"]


def _is_news(record: logging.LogRecord) -> bool:
    return "Method not implemented" not in record.getMessage()


def _open_folder(folder: Path, opened: contextlib.ExitStack) -> str:
    """Makes this process the only one that has a gallery's folder open, and returns the address within."""
    require_package("milvus-lite", "A gallery in a folder", _INSTALL)
    from milvus_lite.server_manager import server_manager_instance

    file = folder / FILE
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not file.exists())):
        raise InputError(
            f"A gallery is a folder that holds {FILE}, or one that is new or empty. Received: {str(folder)!r}."
        )
    opened.enter_context(claimed(folder, folder=True))
    folder.mkdir(parents=True, exist_ok=True)
    opened.callback(server_manager_instance.release_server, os.path.abspath(file))
    return str(file)
