"""ONNX files, which other libraries read."""

import sys

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.pipeline.decode import resize_images
from reid_tf.serving.formats.onnx import write_onnx
from reid_tf.serving.formats.source import Source
from tests.made_batches import SIZE
from tests.made_exports import attribute_encoder, pictures


def test_another_library_gets_the_same_outputs_from_the_file(tmp_path):
    reference, onnxruntime = pytest.importorskip("onnx.reference"), pytest.importorskip("onnxruntime")
    encoder = attribute_encoder().folded()
    assert write_onnx(Source(encoder, None, 1), tmp_path) == {"image_type": "uint8", "opset": 17}
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape[1:]) == ("image", "tensor(uint8)", [*SIZE, 3])
    images = resize_images(pictures(5), SIZE)
    expected = encoder.model.predict_on_batch({"image": images})
    for count in (1, 5):
        found = session.run(["embedding", "attributes"], {"image": images[:count]})
        np.testing.assert_allclose(found[0], expected["embedding"][:count], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[1], expected["attributes"][:count], rtol=1e-4, atol=1e-5)
    evaluator = reference.ReferenceEvaluator(str(tmp_path / "encoder.onnx"))  # NumPy alone
    np.testing.assert_allclose(
        evaluator.run(["embedding"], {"image": images})[0], expected["embedding"], rtol=1e-3, atol=1e-4
    )


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(InputError, match=r"'onnx' needs tf2onnx: pip install tf2onnx onnx"):
        write_onnx(Source(attribute_encoder(), None, 1), tmp_path)
