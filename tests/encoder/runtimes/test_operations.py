"""SavedModels that do more than calculate are not opened: not one operation of them runs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.runtimes.operations import check_operations
from reid_tf.encoder.runtimes.saved_model import open_saved_model
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.serving.export import write_export
from reid_tf.serving.formats.source import Source
from tests.made_exports import attribute_encoder, pose_encoder


def writes(folder):
    tf.io.write_file(str(folder / "stolen"), "a")


def prints(folder):
    tf.print("a", output_stream=f"file://{folder / 'stolen'}")


def runs_python(folder):
    tf.py_function(lambda: (folder / "stolen").write_text("a"), [], [])


def reads(folder):
    return tf.io.read_file(str(folder / "secret"))


def lists(folder):
    return tf.io.matching_files(str(folder / "*"))


def reads_lines(folder):
    return tf.data.TextLineDataset(str(folder / "secret")).get_single_element()


def caches(folder):
    return tf.data.Dataset.range(1).cache(str(folder / "stolen")).get_single_element()


def saves(folder):
    tf.raw_ops.SaveV2(prefix=str(folder / "stolen"), tensor_names=["a"], shape_and_slices=[""], tensors=[tf.zeros(1)])


def restores(folder):
    return tf.raw_ops.RestoreV2(
        prefix=str(folder / "a"), tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )


def debugs(folder):
    return tf.raw_ops.DebugIdentity(input=tf.zeros(1), debug_urls=[f"file://{folder / 'stolen'}"])


def looks_up(folder):
    table = tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table, filename=str(folder / "secret"), key_index=-2, value_index=-1
    )


def made(folder: Path, effect) -> Path:
    """A SavedModel with the signatures of an encoder, which has an effect on a folder when it is asked."""
    module, there = tf.Module(), folder / "there"
    there.mkdir()
    (there / "secret").write_text("secret\n")

    @tf.function(autograph=False)
    def embed(image):
        with tf.control_dependencies([tf.no_op()]):
            effect(there)
        return {"embedding": tf.reduce_mean(tf.cast(image, tf.float32), axis=(1, 2))}

    concrete = embed.get_concrete_function(tf.TensorSpec([None, None, None, 3], tf.uint8, "image"))
    tf.saved_model.save(module, str(folder / "1"), signatures={"embed_image": concrete, "serving_default": concrete})
    encoder = {
        "inputs": {"image": "image"},
        "image_size": [4, 2],
        "distance": "cosine",
        "flip": False,
        "dim": 3,
        "attributes": None,
        "normalize": False,
    }
    write_json(folder / "1" / "export.json", {"format": "savedmodel", "encoder": encoder, "calibration": None})
    return folder / "1"


@pytest.mark.parametrize(
    ("effect", "operation"),
    [
        (writes, "WriteFile"),
        (prints, "PrintV2"),
        (runs_python, "EagerPyFunc"),
        (reads, "ReadFile"),
        (lists, "MatchingFiles"),
        (reads_lines, "TextLineDataset"),
        (caches, "CacheDatasetV2"),
        (saves, "SaveV2"),
        (restores, "RestoreV2"),
        (debugs, "DebugIdentity"),
        (looks_up, "HashTableV2"),
    ],
)
def test_a_model_with_effects_is_not_opened(tmp_path, effect, operation):
    folder = made(tmp_path, effect)
    for opened in (load_encoder, open_saved_model):
        with pytest.raises(
            InputError, match=f"holds the operation '{operation}', and a SavedModel that can reach files"
        ):
            opened(folder)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["secret"]


def test_one_that_calculates_is(tmp_path):
    encoder = load_encoder(made(tmp_path, lambda there: None))
    np.testing.assert_allclose(encoder([np.full((4, 2, 3), 7, np.uint8)]), [[7, 7, 7]])


def test_a_function_is_no_savers_because_the_file_says_so(tmp_path):
    folder = made(tmp_path, saves)
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    (graph,) = model.meta_graphs
    graph.saver_def.save_tensor_name = next(
        node.name for node in graph.graph_def.node if "signature_wrapper" in node.attr["f"].func.name
    )
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="holds the operation '(SaveV2|MergeV2Checkpoints)'"):
        check_operations(folder)


@pytest.mark.parametrize("make", [attribute_encoder, pose_encoder])
def test_what_this_package_exports_is_opened(make, tmp_path):
    write_export(Source(make(flip=True).folded(), None, 100_000), "savedmodel", tmp_path, run="a")
    check_operations(tmp_path)


def test_other_forms_of_a_model_are_refused(tmp_path):
    folder = made(tmp_path, lambda there: None)
    shutil.copy(folder / "saved_model.pb", folder / "saved_model.cpb")
    with pytest.raises(InputError, match=r"A SavedModel in pieces is not opened. Received: '.*saved_model\.cpb'"):
        load_encoder(folder)
    (folder / "saved_model.cpb").unlink()
    (folder / "saved_model.pb").rename(folder / "saved_model.pbtxt")
    with pytest.raises(InputError, match=r"is not a valid SavedModel of an encoder \(.*No such file"):
        load_encoder(folder)
