"""From a finished run to a complete export, or to one sentence and nothing on disk."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from reid_tf.datasets.load import load_dataset
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.serving import export as module
from reid_tf.serving.export import WRITERS, export, representative_inputs, write_export
from reid_tf.serving.formats.source import Source
from tests.made_batches import SIZE
from tests.made_exports import CALIBRATION, attribute_encoder, scatter, write_data, write_run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "people")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    encoder = attribute_encoder(calibration=CALIBRATION)
    return write_run(tmp_path_factory.mktemp("runs") / "a", encoder, data)


def test_a_served_model_is_the_next_version_in_its_base_path(run, tmp_path):
    for name in ("2", "9", "notes"):
        (tmp_path / "reid" / name).mkdir(parents=True)
    report = export(run, "savedmodel", tmp_path / "reid")
    assert report.folder == tmp_path / "reid" / "10"
    assert sorted(path.name for path in (tmp_path / "reid").iterdir()) == ["10", "2", "9", "notes"]
    assert report.parity.difference < 1e-5
    assert (report.parity.images, report.parity.queries) == (32, 8)
    assert report.parity.rank1[0] == report.parity.rank1[1]
    assert 0.2 < report.parity.mean_average_precision[0] < 1  # neither all nor nothing is found
    said = json.loads((report.folder / "export.json").read_text())
    assert (said["format"], said["run"], said["encoder"]["normalize"]) == ("savedmodel", "a", False)
    assert said["parity"] == report.parity.to_dict()
    assert said["calibration"] == CALIBRATION.to_dict()
    assert set(said["signatures"]) == {"serving_default", "embed_image", "attributes", "verify"}
    assert said["versions"]["keras"] == keras.__version__
    assert report.size == sum(path.stat().st_size for path in report.folder.rglob("*") if path.is_file())


def test_without_a_name_an_export_lies_in_its_run(data, tmp_path):
    run = write_run(tmp_path / "b", attribute_encoder(flip=True), data)
    report = export(run, "litert-int8", representative_images=6)
    assert report.folder == run / "export" / "litert-int8"
    assert {path.name for path in report.folder.iterdir()} == {"encoder.tflite", "export.json"}
    said = json.loads((report.folder / "export.json").read_text())
    assert said["representative_images"] == 6
    assert said["encoder"]["flip"]
    assert said["parity"]["tolerance"] == {"difference": None, "points": 1.0}
    assert 1e-3 < said["parity"]["difference"] < 1  # it is quantised, by few images


def test_an_export_that_is_another_function_leaves_nothing(run, tmp_path, monkeypatch):
    def write_another(source, folder):
        changed = dataclasses.replace(source, encoder=attribute_encoder())
        scatter(changed.encoder.model, 7)
        return WRITERS["onnx-or-litert"](changed, folder)

    monkeypatch.setitem(WRITERS, "onnx-or-litert", WRITERS["litert"])
    monkeypatch.setitem(WRITERS, "litert", write_another)
    message = (
        r"The export as 'litert' is not the run's encoder: on 32 images the embeddings differ by up to [\d.]+ of their "
        r"mean length \(at most 0\.001 is allowed\), mAP is [\d.]+ instead of [\d.]+ \(0\.1 points less is allowed\) "
        r"and rank-1 [\d.]+ instead of [\d.]+\."
    )
    with pytest.raises(InputError, match=message):
        export(run, "litert", tmp_path / "out" / "litert")
    assert not (tmp_path / "out").exists()
    assert export(run, "litert", tmp_path / "out" / "litert", max_difference=9.0, max_points_lost=100.0).folder.is_dir()


def test_what_is_given_wrongly_is_said_before_anything_is_written(run, data, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "export").mkdir()
    write_json(tmp_path / "export" / "export.json", {})
    (tmp_path / "cold").mkdir()
    moved = write_run(tmp_path / "moved", attribute_encoder(), tmp_path / "gone")
    cases = [
        ((run, "litert8", tmp_path / "x"), {}, "Unknown format: 'litert8'. Did you mean 'litert'"),
        ((run, "litert", tmp_path / "taken"), {}, "taken' exists already; give another name or remove it"),
        ((run, "savedmodel", tmp_path / "export"), {}, "export' exists already"),
        ((run, "savedmodel", run), {}, "needs a folder of its own. Received: .*, a run directory"),
        (
            (run, "litert-int8", tmp_path / "x"),
            {"representative_images": -1},
            "at least 0. Received: representative_images=-1",
        ),
        ((tmp_path / "export", "litert", tmp_path / "x"), {}, "is an export already; name the run"),
        ((tmp_path / "cold", "litert", tmp_path / "x"), {}, "is not a finished run"),
        ((moved, "litert", tmp_path / "x"), {}, "images of 'csv_table', whose folder --data names: .*gone' for the"),
        ((run, "litert", tmp_path / "x"), {"max_images": 7}, "two people .*: at least 8. Received: max_images=7"),
        (
            (run, "litert-int8", tmp_path / "x"),
            {"representative_images": 0},
            "needs images to calibrate on. Received: 0",
        ),
    ]
    for arguments, options, message in cases:
        with pytest.raises(InputError, match=message):
            export(*arguments, **options)
    assert not (tmp_path / "x").exists()
    assert export(moved, "litert", tmp_path / "x", data=str(data)).folder == tmp_path / "x"


def test_int8_sees_every_person_before_it_sees_one_twice(data, monkeypatch):
    monkeypatch.setattr(module, "input_batches", lambda records, *_: tf.data.Dataset.from_tensor_slices(names(records)))
    train = load_dataset("csv_table", str(data)).train
    chosen = [name.decode() for name in representative_inputs(attribute_encoder(), train, 8)]
    people = [name.split("/")[-1].split("_")[0] for name in chosen]
    assert sorted(people[:6]) == ["0", "1", "2", "3", "4", "5"]
    assert len(set(people[6:])) == 2
    assert len(set(chosen)) == 8
    assert chosen == [name.decode() for name in representative_inputs(attribute_encoder(), train, 8)]


def names(records):
    return [record.path for record in records]


@keras.saving.register_keras_serializable(package="test")
class InPython(keras.layers.Layer):
    def call(self, features):
        changed = tf.numpy_function(lambda values: values + np.float32(1), [features], tf.float32)
        return tf.ensure_shape(changed, features.shape)

    def compute_output_shape(self, input_shape):
        return input_shape


class WithoutKernel(keras.layers.Layer):
    def call(self, features):
        return tf.math.igamma(features, features)


@pytest.mark.parametrize(
    ("layer", "formats", "operation"),
    [(InPython(), WRITERS, "PyFunc"), (WithoutKernel(), ("litert", "litert-int8", "onnx"), "Igamma")],
)
def test_an_operation_that_a_format_lacks_is_named(layer, formats, operation, tmp_path):
    pytest.importorskip("tf2onnx")
    image = keras.Input((*SIZE, 3), name="image")
    model = keras.Model({"image": image}, {"embedding": layer(keras.layers.GlobalAveragePooling2D()(image))})
    source = Source(Encoder(model, {"image": "image"}, SIZE), None, 1, [{"image": np.ones((1, *SIZE, 3), np.uint8)}])
    for kind in formats:
        with pytest.raises(InputError, match=f"The format '{kind}' has no operation '{operation}'"):
            write_export(source, kind, tmp_path, run="a")
    assert list(tmp_path.iterdir()) == []
