"""An encoder in a process that was forked from its own, where its library would wait for ever."""

import os
import pickle
import select
import signal
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.serving.export import write_export
from reid_tf.serving.formats.source import Source
from tests.made_exports import attribute_encoder, pictures

LIMIT_S = 30


def in_fork(work: Callable[[], None]) -> str:
    """What comes of some work in a forked process: its error, "no error", or "no answer" after half a minute."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work()
            said = "no error"
        except BaseException as error:  # noqa: BLE001 - nothing may leave the child, which is a copy of the tests
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    try:
        answered, _, _ = select.select([reading], [], [], LIMIT_S)
        return os.read(reading, 10_000).decode() if answered else "no answer"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)


@pytest.fixture(scope="module", params=["run", "savedmodel", "litert", "onnx"])
def encoder(request, tmp_path_factory) -> Encoder:
    if request.param == "run":
        return attribute_encoder()
    if request.param == "onnx":
        pytest.importorskip("tf2onnx")
    folder = tmp_path_factory.mktemp(request.param)
    write_export(Source(attribute_encoder().folded(), None, 100_000), request.param, folder, run="a")
    return load_encoder(folder)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_is_told_what_to_do(encoder, tmp_path):
    images = pictures(2)
    expected = encoder(images)
    cv2.imwrite(str(tmp_path / "a.png"), images[0])
    records = [Record(str(tmp_path / "a.png"), 0, 0)]
    inputs = {"image": np.zeros((1, *encoder.image_size, 3), np.uint8)}
    for work in (
        lambda: encoder(images),
        lambda: encoder([str(tmp_path / "a.png")]),
        lambda: encoder.with_options(normalize=True)(images),
        lambda: embed(encoder, records, verbose=0),
        lambda: encoder.runtime(inputs, ("embedding",)),
    ):
        said = in_fork(work)
        assert said.startswith("InputError: An encoder works in the process that loaded it"), said
        assert (
            f"by the method 'spawn' and load the encoder in it. Received: a call in process {os.getpid()}" not in said
        )
        assert said.endswith(f"of an encoder of process {os.getpid()}.")
    np.testing.assert_array_equal(encoder(images), expected)


def test_what_is_sent_to_another_process_is_at_home_there(monkeypatch):
    encoder = attribute_encoder()
    expected, sent = encoder(pictures(2)), pickle.dumps(encoder)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(InputError, match="a call in process -1 of an encoder of process"):
        encoder(pictures(2))
    np.testing.assert_allclose(pickle.loads(sent)(pictures(2)), expected, rtol=1e-5)
