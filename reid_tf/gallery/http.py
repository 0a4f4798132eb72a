"""A gallery for other programs: JSON over HTTP, typed, with its own OpenAPI page at /docs.

Errors are JSON, {"error": one sentence}, without a path of the machine.
"""

import base64
import binascii
import contextlib
import secrets
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from fastapi import Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from limits import parse as parse_rate
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field

from reid_tf.datasets.readers.image_file import decode
from reid_tf.errors import InputError
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.searching import by_person
from reid_tf.gallery.sighting import Sighting

MOST_BYTES = 32 * 2**20  # of a request
MOST_IMAGES = 64  # of a request


class _WrongKeyError(Exception):
    pass


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Filters(_Strict):
    """Which rows are meant; nothing given means all."""

    camera: list[str | int] = []
    not_camera: list[str | int] = []
    since: str | None = Field(default=None, description="ISO 8601 with its zone: 2026-05-01T08:30:00+02:00")
    until: str | None = None
    person: list[str | int] = []
    track: list[str | int] = []

    def given(self) -> dict[str, Any]:
        """Returns the filters that say something."""
        return {name: value for name, value in self.model_dump().items() if value}


class Search(_Strict):
    """A search by one of an image, a vector, a person, or by attributes alone."""

    image: str | None = Field(default=None, description="an image file in base64")
    vector: list[float] | None = None
    person: str | int | None = None
    attributes: dict[str, str] | str = Field(default={}, description="words, or the class of each group that counts")
    k: int = Field(default=10, ge=1, le=1000)
    rerank: bool = False
    filters: Filters = Filters()


class Found(BaseModel):
    """One row that a search found."""

    id: str
    path: str
    camera: str
    time: str | None
    track: str
    person: str
    quality: float | None
    attributes: dict[str, str]
    note: str
    distance: float | None
    probability: float | None
    same: bool | None


class Results(BaseModel):
    """Rows, those of one person together, the best first."""

    groups: list[list[Found]]


class Seen(_Strict):
    """An image, or its vector, and what is known of it."""

    image: str | None = Field(default=None, description="an image file in base64")
    vector: list[float] | None = None
    path: str = ""
    camera: str | int = ""
    time: str | None = None
    track: str | int = ""
    person: str | int = ""
    quality: float | None = Field(default=None, ge=0, le=1)
    note: str = ""


class Add(_Strict):
    """What is to be added."""

    images: list[Seen] = Field(min_length=1, max_length=MOST_IMAGES)


class AddedCounts(BaseModel):
    """What became of it; refused images are named by their path or number."""

    added: int
    known: int
    refused: dict[str, str]


class Delete(_Strict):
    """Rows by their ids, or by a filter."""

    ids: list[str] | None = None
    filters: Filters = Filters()
    everything: bool = False


class Deleted(BaseModel):
    """How many rows were deleted."""

    deleted: int


class Health(BaseModel):
    """That the gallery answers, and its number of rows."""

    status: str
    rows: int


def create_app(
    gallery: Gallery, api_key: str | None = None, rate: str = "600/minute", most_bytes: int = MOST_BYTES
) -> FastAPI:
    """Makes the application.

    Args:
        gallery: `Gallery`, open, with its encoder where images are sent.
        api_key: str, or None. What requests must bring in the header `X-API-Key`; health
            and metrics are open.
        rate: str. Requests of one client in a time, such as "10/second".
        most_bytes: int. Of a request.

    Returns:
        fastapi.FastAPI.

    Raises:
        InputError: the rate cannot be read.
    """
    app = FastAPI(title="reid_tf gallery", version="1")
    lock = threading.Lock()  # one encoder and one store: requests take turns
    registry = CollectorRegistry()
    requests = Counter("reid_tf_requests", "Requests by path and status.", ("path", "status"), registry=registry)
    seconds = Histogram("reid_tf_request_seconds", "Seconds that requests took.", ("path",), registry=registry)
    rows = Gauge("reid_tf_gallery_rows", "Rows of the gallery.", registry=registry)
    rows.set_function(lambda: len(gallery))
    limiter, allowed = MovingWindowRateLimiter(MemoryStorage()), _rate(rate)

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started, path = time.perf_counter(), request.url.path
        client = request.client.host if request.client else ""
        response: Response | None = _refusal(request, most_bytes)
        if response is None and path.startswith("/v1/") and not limiter.hit(allowed, client):
            response = _error(429, f"A client may send {rate}; wait a little.")
        if response is None:
            response = await call_next(request)
        known = path if response.status_code != 404 else "other"
        requests.labels(known, response.status_code).inc()
        seconds.labels(known).observe(time.perf_counter() - started)
        return response

    def checked(x_api_key: str | None = Header(None)) -> None:
        if api_key is not None and not secrets.compare_digest((x_api_key or "").encode(), api_key.encode()):
            raise _WrongKeyError

    @app.exception_handler(InputError)
    async def input_error(request: Request, error: InputError) -> JSONResponse:
        return _error(400, str(error).replace(f"The gallery {gallery.uri!r}", "The gallery"))

    @app.exception_handler(RequestValidationError)
    async def wrong_form(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return _error(422, f"The request's {where or 'body'} is wrong: {first['msg']}.")

    @app.exception_handler(_WrongKeyError)
    async def not_allowed(request: Request, error: _WrongKeyError) -> JSONResponse:
        return _error(401, "The header X-API-Key is missing or wrong.")

    @app.post("/v1/search", response_model=Results, dependencies=[Depends(checked)])
    def search(wanted: Search) -> dict[str, Any]:
        """Finds the rows that are most like an image, a vector, a person or a description."""
        with lock:
            found = gallery.search(
                None if wanted.image is None else read_base64(wanted.image, "image"),
                vector=None if wanted.vector is None else np.array(wanted.vector, np.float32),
                attributes=wanted.attributes
                if isinstance(wanted.attributes, str)
                else [f"{group}={answer}" for group, answer in wanted.attributes.items()],
                k=wanted.k,
                rerank=wanted.rerank,
                **{**wanted.filters.given(), **({} if wanted.person is None else {"person": wanted.person})},
            )
        return {"groups": [[result.to_dict() for result in group] for group in by_person(found)]}

    @app.post("/v1/add", response_model=AddedCounts, dependencies=[Depends(checked)])
    def add(seen: Add) -> dict[str, Any]:
        """Adds images or vectors; what is there already is passed over."""
        unread, sound = {}, []
        for number, one in enumerate(seen.images):
            try:
                sound.append(_sighting(one, f"image {number}"))
            except InputError as error:
                unread[one.path or str(number)] = str(error)
        with lock:
            added = gallery.add(sound, batch_size=MOST_IMAGES)
        return {"added": added.added, "known": added.known, "refused": {**unread, **added.refused}}

    @app.post("/v1/delete", response_model=Deleted, dependencies=[Depends(checked)])
    def delete(meant: Delete) -> dict[str, int]:
        """Deletes rows by their ids, or a person's, a camera's, those before a time."""
        with lock:
            return {"deleted": gallery.delete(meant.ids, everything=meant.everything, **meant.filters.given())}

    @app.get("/healthz", response_model=Health)
    def health() -> dict[str, Any]:
        """Says whether the gallery answers."""
        with lock:
            return {"status": "ok", "rows": len(gallery)}

    @app.get("/metrics")
    def metrics() -> Response:
        """Counts for Prometheus."""
        with lock:
            return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


def read_base64(text: str, name: str) -> np.ndarray:
    """Returns the pixels of an image file in base64.

    Args:
        text: str.
        name: str. How an error names the image.

    Returns:
        uint8 [height, width, 3], RGB.

    Raises:
        InputError: it is not base64, no image, or has too many pixels.
    """
    try:
        encoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"An image must be a file in base64. Received: {name} of {len(text)} characters.") from None
    image = decode(encoded, name.capitalize())
    if image is None:
        raise InputError(
            f"An image must be a file such as JPEG or PNG. Received: {name}, {len(encoded)} bytes of something else."
        )
    return image


def _sighting(seen: Seen, name: str) -> Sighting:
    values = seen.model_dump(exclude={"image", "vector"})
    if (seen.image is None) == (seen.vector is None):
        raise InputError(f"Each entry has an image or a vector. Received: {name} with both, or with neither of them.")
    if seen.image is not None:
        return Sighting(read_base64(seen.image, name), **values)
    return Sighting(vector=np.array(seen.vector, np.float32), **values)


def _refusal(request: Request, most_bytes: int) -> JSONResponse | None:
    """The answer to a request that is not even read: of no stated length, or too long."""
    if request.method != "POST":
        return None
    with contextlib.suppress(ValueError):
        length = int(request.headers.get("content-length", ""))
        if 0 <= length <= most_bytes:
            return None
        return _error(413, f"A request has at most {most_bytes:,} bytes. Received: {length:,}.")
    return _error(411, f"A request must state its length, at most {most_bytes:,} bytes, in the header Content-Length.")


def _rate(text: str) -> Any:
    try:
        return parse_rate(text)
    except ValueError:
        raise InputError(f"A rate is a number of requests in a time, such as 10/second. Received: {text!r}.") from None


def _error(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)
