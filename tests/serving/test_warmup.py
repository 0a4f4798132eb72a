import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from reid_tf.serving.signatures import WARMUP_FILE
from reid_tf.serving.warmup import write_warmup_requests


def requests_in(path):
    """The requests of a warm-up file, as a server reads them."""
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]


@pytest.fixture(scope="module")
def requests(export):
    return requests_in(export / "1" / "assets.extra" / "tf_serving_warmup_requests")


def test_every_signature_is_warmed_up_with_one_image_and_with_several(export, requests, signatures):
    assert export / "1" / WARMUP_FILE == export / "1" / "assets.extra" / "tf_serving_warmup_requests"
    sizes = {}
    for request in requests:
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        counts = {len(value) for value in inputs.values()}
        assert len(counts) == 1
        sizes.setdefault(name, []).extend(counts)
        answer = signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
        if name != "embed_image":
            assert set(answer.pop("error").numpy()) == {b""}
        for output in answer.values():
            assert len(output) == len(next(iter(inputs.values())))
            assert np.isfinite(np.float32(output)).all()
    assert sizes == {name: [1, 8] for name in signatures}


def test_warm_up_of_a_model_that_takes_landmarks_is_the_same_every_time(pose_module, tmp_path):
    functions = pose_module.functions
    for name in ("first", "second"):
        write_warmup_requests(tmp_path / name, functions, batch_sizes=(2,))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    request = next(r for r in requests_in(tmp_path / "first") if r.model_spec.signature_name == "embed_image")
    inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
    assert {key: value.dtype for key, value in inputs.items()} == {"image": np.uint8, "landmarks": np.float32}
    assert (
        functions["embed_image"](**{key: tf.constant(value) for key, value in inputs.items()})["embedding"].shape[0]
        == 2
    )
