"""ONNX files that name other files are not opened: those may be any that the process can read."""

import pytest

from reid_tf.encoder.runtimes.onnx import OnnxRuntime
from reid_tf.errors import InputError
from reid_tf.serving.formats.onnx import write_onnx
from reid_tf.serving.formats.source import Source
from tests.made_exports import attribute_encoder


def test_weights_in_another_file(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    write_onnx(Source(attribute_encoder().folded(), None, 1), tmp_path)
    assert OnnxRuntime(tmp_path / "encoder.onnx").dim == 6
    model = onnx.load(tmp_path / "encoder.onnx")
    onnx.save(model, tmp_path / "apart.onnx", save_as_external_data=True, size_threshold=0, location="weights")
    with pytest.raises(InputError, match=r"must hold its weights itself, and '.*apart\.onnx' names other files"):
        OnnxRuntime(tmp_path / "apart.onnx")
