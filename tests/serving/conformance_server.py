"""A small server that speaks TensorFlow Serving's REST interface over an exported model, for tests.

It loads the SavedModel as Serving does (a session on the graph, by the signatures' tensor names), serves the latest
version, and answers with Serving's status codes and forms. It neither batches, nor watches the folder, nor hardens
itself against the world.

    python tests/serving/conformance_server.py --model-base-path runs/export --model-name reid --port 8501
"""

import argparse
import base64
import binascii
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow_serving.apis import get_model_metadata_pb2

MOST_BYTES = 256 * 2**20
ASK = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict")
LOOK = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?")
STATUSES = {
    tf.errors.INVALID_ARGUMENT: 400,
    tf.errors.FAILED_PRECONDITION: 400,
    tf.errors.OUT_OF_RANGE: 400,
    tf.errors.NOT_FOUND: 404,
    tf.errors.DEADLINE_EXCEEDED: 504,
    tf.errors.RESOURCE_EXHAUSTED: 429,
    tf.errors.UNIMPLEMENTED: 501,
    tf.errors.UNAVAILABLE: 503,
}


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class ServedModel:
    """The latest version of a model under its base path."""

    def __init__(self, base_path: Path, name: str) -> None:
        versions = [int(folder.name) for folder in Path(base_path).iterdir() if folder.name.isdigit()]
        self.name, self.version = name, max(versions)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        folder = str(Path(base_path) / str(self.version))
        self.signatures = tf.compat.v1.saved_model.load(self._session, ["serve"], folder).signature_def

    def check(self, name: str, version: str | None) -> None:
        if name != self.name or version not in (None, str(self.version)):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise RefusalError(404, f"Servable not found for request: {wanted}")

    def status(self) -> dict[str, Any]:
        fine = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": str(self.version), "state": "AVAILABLE", "status": fine}]}

    def metadata(self) -> dict[str, Any]:
        described = get_model_metadata_pb2.SignatureDefMap(signature_def=self.signatures)
        values = MessageToDict(
            described, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )  # 64-bit numbers become text
        spec = {"name": self.name, "signature_name": "", "version": str(self.version)}
        return {"model_spec": spec, "metadata": {"signature_def": values}}

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        signature = request.get("signature_name", "serving_default")
        if not isinstance(signature, str) or signature not in self.signatures:
            raise RefusalError(400, f'Serving signature name: "{signature}" not found in signature def')
        inputs, outputs = self.signatures[signature].inputs, self.signatures[signature].outputs
        if ("inputs" in request) == ("instances" in request):
            raise RefusalError(400, "Expecting exactly one of 'inputs' and 'instances'")
        by_rows = "instances" in request
        columns = by_name(request["inputs"], inputs) if not by_rows else from_rows(request["instances"], inputs)
        feed = {info.name: tensor(columns[name], info, name) for name, info in inputs.items()}
        names = list(outputs)
        values = self._session.run([outputs[name].name for name in names], feed)
        answer = {name: in_json(name, value.tolist()) for name, value in zip(names, values, strict=True)}
        if by_rows:
            rows = [dict(zip(names, row, strict=True)) for row in zip(*answer.values(), strict=True)]
            return {"predictions": rows if len(names) > 1 else answer[names[0]]}
        return {"outputs": answer if len(names) > 1 else answer[names[0]]}


def in_json(name: str, value: Any) -> Any:
    """Nested values of an output as Serving writes them: text as it is, unless the output's name says bytes."""
    if isinstance(value, list):
        return [in_json(name, each) for each in value]
    if not isinstance(value, bytes):
        return value
    return {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()


def is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def by_name(values: Any, inputs: Any) -> dict[str, Any]:
    """The value of each input; a model with a single one may be given it without its name."""
    if not isinstance(values, dict) or is_bytes(values):
        if len(inputs) > 1:
            raise RefusalError(400, "inputs is a plain value, but several input tensors are required")
        return {next(iter(inputs)): values}
    for name in inputs:
        if name not in values:
            raise RefusalError(400, f"Missing named input: {name} in 'inputs' object.")
    return values


def from_rows(rows: Any, inputs: Any) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise RefusalError(400, "Expecting 'instances' to be a list with values")
    named = [row if isinstance(row, dict) and not is_bytes(row) else {next(iter(inputs)): row} for row in rows]
    for position, row in enumerate(named):
        if set(row) != set(inputs):
            keys = ",".join(sorted(inputs))
            raise RefusalError(400, f"Failed to process element: {position} of 'instances' list: keys must be {keys}")
    return {name: [row[name] for row in named] for name in inputs}


def tensor(value: Any, info: Any, name: str) -> np.ndarray:
    """A nested list of JSON values as an array of an input's type and shape."""
    kind, shape = tf.dtypes.as_dtype(info.dtype), tf.TensorShape(info.tensor_shape)
    try:
        found = np.array(decoded(value, kind), object if kind == tf.string else kind.as_numpy_dtype)
        if any(isinstance(each, list) for each in found.flat):
            raise ValueError("rows of different lengths")
        if found.size and not shape.is_compatible_with(found.shape):
            raise ValueError(f"shape {list(found.shape)}, not {shape.as_list()}")
    except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error) as error:
        raise RefusalError(400, f"JSON Value of {name} is not of expected type: {kind.name}: {error}") from None
    return found if found.size else found.reshape([0, *(side or 0 for side in shape.as_list()[1:])])


def decoded(value: Any, kind: tf.DType) -> Any:
    """The values of a nested list, each checked to be of a kind."""
    if isinstance(value, list):
        return [decoded(each, kind) for each in value]
    if kind == tf.string and is_bytes(value):
        return base64.b64decode(value["b64"], validate=True)
    if kind == tf.string and isinstance(value, str):
        return value.encode()
    if kind != tf.string and isinstance(value, int | float) and not isinstance(value, bool):
        if kind.is_integer and not (isinstance(value, int) and kind.min <= value <= kind.max):
            raise ValueError(f"{value!r} where {kind.name} is wanted")
        return value
    raise TypeError(f"{type(value).__name__} where {kind.name} is wanted")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece: the second would wait for the first's receipt
    model: ServedModel

    def do_GET(self) -> None:
        self._answer(self._look)

    def do_POST(self) -> None:
        self._answer(self._ask)

    def log_message(self, *_: Any) -> None:
        """Says nothing on each request."""

    def _look(self) -> dict[str, Any]:
        found = LOOK.fullmatch(self.path)
        if not found:
            raise RefusalError(400, f"Malformed request: GET {self.path}")
        self.model.check(found[1], found[2])
        return self.model.metadata() if found[3] else self.model.status()

    def _ask(self) -> dict[str, Any]:
        length = self._length()
        if length > MOST_BYTES:
            self.close_connection = True  # the body stays unread
            raise RefusalError(413, f"The request has {length} bytes, more than {MOST_BYTES}")
        body, found = self.rfile.read(length), ASK.fullmatch(self.path)
        if not found:
            raise RefusalError(400, f"Malformed request: POST {self.path}")
        self.model.check(found[1], found[2])
        try:
            request = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RefusalError(400, f"JSON Parse error: {error}") from None
        if not isinstance(request, dict):
            raise RefusalError(400, "JSON Value: Is not object")
        return self.model.predict(request)

    def _length(self) -> int:
        given = self.headers.get("Content-Length", "0")
        if not given.isascii() or not given.isdigit() or len(given) > 18 or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # nobody knows where the body ends
            raise RefusalError(400, f"Malformed request: Content-Length: {given}")
        return int(given)

    def _answer(self, work: Any) -> None:
        try:
            status, value = 200, work()
        except RefusalError as refusal:
            status, value = refusal.status, {"error": str(refusal)}
        except tf.errors.OpError as error:
            status, value = STATUSES.get(error.error_code, 500), {"error": error.message}
        except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
            status, value = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(value, allow_nan=True).encode()  # as Serving, which writes the bare word NaN
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def make_server(base_path: Path, name: str = "reid", port: int = 0) -> ThreadingHTTPServer:
    """A server that is ready to `serve_forever()`, on this machine only; port 0 takes a free one."""
    handler = type("ModelHandler", (Handler,), {"model": ServedModel(base_path, name)})
    return ThreadingHTTPServer(("127.0.0.1", port), handler)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model-base-path", required=True, type=Path, metavar="FOLDER", help="has the versions")
    arguments.add_argument("--model-name", default="reid", metavar="NAME")
    arguments.add_argument("--port", default=8501, type=int, help="0 takes a free one")
    given = arguments.parse_args()
    with make_server(given.model_base_path, given.model_name, given.port) as server:
        print(f"http://127.0.0.1:{server.server_port}/v1/models/{given.model_name}", flush=True)  # noqa: T201
        server.serve_forever()


if __name__ == "__main__":
    main()
