"""Image files of all kinds, small encoders, an export of one, and a server that has it in service."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.encoder.encoder import Encoder
from reid_tf.layers.roi_pooling import RoIMaxPooling
from reid_tf.retrieval.calibration import Calibration
from reid_tf.serving.signatures import build_serving_module, save_serving_module
from tests.made_batches import SIZE, build
from tests.made_exports import scatter
from tests.serving.conformance_server import make_server
from tests.serving.request_images import drawn, encode


@pytest.fixture(scope="session")
def system():
    """The multi-task network with attributes and a verifier, its weights scattered."""
    made = build("multitask", outputs=["identity_a", "verification", "attributes"], embedding_dim=6)
    scatter(made.encoder, 0)
    scatter(made.verifier, 1, spread=20.0)
    return made


@pytest.fixture(scope="session")
def make_encoder(system) -> Callable[..., Encoder]:
    """A function that makes an encoder of it."""

    def made(**options) -> Encoder:
        coding = AttributeCoding(MARKET1501_SCHEMA, "binary")
        return Encoder(system.encoder, system.inputs, SIZE, attributes=coding, **options)

    return made


@pytest.fixture(scope="session")
def pose_encoder() -> Encoder:
    """An encoder that looks at body parts, and flips."""
    keras.utils.set_random_seed(2)
    image, boxes = keras.Input((*SIZE, 3), name="image"), keras.Input((3, 4), name="part_boxes")
    coarse = keras.layers.AveragePooling2D(2)(keras.layers.Rescaling(1 / 255)(image))
    parts = [RoIMaxPooling((2, 2))(coarse, boxes[:, index]) for index in range(3)]
    features = keras.layers.Concatenate()([keras.layers.Flatten()(part) for part in parts])
    embedding = keras.layers.Dense(4, name="embedding")(features)
    inputs = {"image": image, "part_boxes": boxes}
    model = scatter(keras.Model(inputs, {"embedding": embedding}), 2)
    return Encoder(model, {name: name for name in inputs}, SIZE, "euclidean", flip=True)


@pytest.fixture(scope="session")
def pose_module(pose_encoder) -> tf.Module:
    """The encoder of body parts as it is served, with a calibration of the Euclidean distance."""
    calibration = Calibration("euclidean", threshold=0.5, false_accept_rate=0.01, slope=2.0, intercept=1.0)
    return build_serving_module(pose_encoder, None, calibration, normalize=False, max_pixels=100_000)


@pytest.fixture(scope="session")
def calibration() -> Calibration:
    return Calibration("cosine", threshold=0.05, false_accept_rate=0.01, slope=30.0, intercept=1.5)


@pytest.fixture(scope="session")
def image_files(tmp_path_factory) -> list[str]:
    """Five pictures of several sizes, as JPEG and as PNG."""
    folder, paths = tmp_path_factory.mktemp("images"), []
    for seed, (height, width, suffix) in enumerate(
        [(60, 30, ".jpg"), (128, 64, ".png"), (20, 9, ".jpg"), (*SIZE, ".png"), (33, 50, ".jpg")]
    ):
        path = folder / f"{seed}{suffix}"
        path.write_bytes(encode(drawn(seed, height, width), suffix))
        paths.append(str(path))
    return paths


@pytest.fixture(scope="session")
def encoded(image_files) -> list[bytes]:
    return [Path(path).read_bytes() for path in image_files]


@pytest.fixture(scope="session")
def export(system, make_encoder, calibration, tmp_path_factory) -> Path:
    """A model's base path with one version: plain embeddings, attributes, a verifier and a calibration."""
    base = tmp_path_factory.mktemp("export")
    module = build_serving_module(make_encoder(), system.verifier, calibration, normalize=False, max_pixels=100_000)
    save_serving_module(module, base / "1")
    return base


@pytest.fixture(scope="session")
def signatures(export) -> Mapping[str, Callable[..., dict[str, tf.Tensor]]]:
    return tf.saved_model.load(str(export / "1")).signatures


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """A function that puts a base path into service, and returns the server's URL."""
    running = []

    def start(base_path: Path) -> str:
        server = make_server(base_path)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def server_url(serve, export) -> str:
    return serve(export)


@pytest.fixture
def scripted():
    """A function that starts a server which gives some answers, (status, body) each, one after the other."""
    running = []

    def start(*answers):
        class Handler(BaseHTTPRequestHandler):
            asked = []  # noqa: RUF012 - of this class alone

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.asked.append((self.path, json.loads(body) if body else None))
                status, text = answers[min(len(self.asked), len(answers)) - 1]
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", Handler.asked

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
