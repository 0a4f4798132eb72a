"""Detectors in files: what goes in, how boxes come back to the frame, and what is refused."""

import json

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from reid_tf.errors import InputError
from reid_tf.footage.detector_file import detector_file
from reid_tf.footage.detectors import detector_named

SIZE = (64, 128)  # of the network's images, height and width
FRAME = np.zeros((100, 100, 3), np.uint8)
FRAME[...] = (30, 60, 90)  # blue, green, red
# Left, top, right, bottom in the frame; in the letterbox it is 64 pixels wide and 32 of grey are left of it.
PERSON, OTHER = (10.0, 20.0, 30.0, 80.0), (50.0, 10.0, 70.0, 60.0)


def litert(path, boxes, scores, classes=None, first=False, dtype=tf.float32):
    """A network that gives the same boxes for every image, and how red it is as the first score where that is None."""
    shape = (1, 3, *SIZE) if first else (1, *SIZE, 3)

    def network(image):
        image = tf.cast(image, tf.float32)
        red = tf.reduce_mean(image[:, 0] if first else image[..., 0])
        blue = tf.reduce_mean(image[:, 2] if first else image[..., 2])
        given = [red if score is None else tf.constant(float(score)) + 0.0 * blue for score in scores]
        outputs = [tf.constant([boxes], tf.float32) + 0.0 * red, tf.stack(given)[tf.newaxis]]
        return (*outputs, tf.constant([classes], tf.float32) + 0.0 * red) if classes else tuple(outputs)

    function = tf.function(network, input_signature=[tf.TensorSpec(shape, dtype)], autograph=False)
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert())
    shapes = {detail["name"]: tuple(detail["shape"]) for detail in Interpreter(str(path)).get_output_details()}
    names = sorted(shapes, key=lambda name: (-len(shapes[name]), name))  # boxes, then scores and classes in their order
    return dict(zip(("boxes", "scores", "classes"), names, strict=False))


def described(folder, **fields):
    (folder / "detector.json").write_text(json.dumps({"file": "net.tflite", "image_size": SIZE, **fields}))
    return folder / "detector.json"


def in_letterbox(box):
    return [32 + 0.64 * box[0], 0.64 * box[1], 32 + 0.64 * box[2], 0.64 * box[3]]


def share_of(box, sides=(128, 64)):
    return [box[0] / sides[0], box[1] / sides[1], box[2] / sides[0], box[3] / sides[1]]


def centred(box):
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


@pytest.mark.parametrize(
    ("convert", "fields"),
    [
        (in_letterbox, {}),
        (lambda box: centred(in_letterbox(box)), {"box": "centre_size"}),
        (lambda box: share_of(in_letterbox(box)), {"unit": "share"}),
        (
            lambda box: [share_of(in_letterbox(box))[place] for place in (1, 0, 3, 2)],
            {"unit": "share", "box": "top_left_bottom_right"},
        ),
        (lambda box: [0.64 * side for side in box], {"resize": "corner"}),
        (lambda box: share_of(box, (100, 100)), {"resize": "stretch", "unit": "share"}),
    ],
)
def test_boxes_come_back_to_the_frame(convert, fields, tmp_path):
    outputs = litert(tmp_path / "net.tflite", [convert(PERSON), convert(OTHER)], [0.9, 0.4])
    boxes, scores = detector_file(described(tmp_path, **outputs, **fields))(FRAME)
    np.testing.assert_allclose(boxes, [PERSON, OTHER], atol=1e-3)
    np.testing.assert_allclose(scores, [0.9, 0.4], atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "first", "dtype", "expected"),
    [
        ({"resize": "stretch"}, False, tf.float32, 90),
        ({"resize": "stretch", "order": "bgr"}, False, tf.float32, 30),
        ({"resize": "stretch", "channels": "first"}, True, tf.float32, 90),
        ({"resize": "stretch"}, False, tf.uint8, 90),
        ({"resize": "stretch", "mean": [10, 0, 0], "standard_deviation": [100, 1, 1]}, False, tf.float32, 0.8),
        ({}, False, tf.float32, (90 + 114) / 2),  # half of a letterbox of a square frame is grey
    ],
)
def test_pixels_go_in_as_described(fields, first, dtype, expected, tmp_path):
    outputs = litert(tmp_path / "net.tflite", [in_letterbox(PERSON)], [None], first=first, dtype=dtype)
    _, scores = detector_file(described(tmp_path, **outputs, **fields))(FRAME)
    assert scores == pytest.approx([expected], rel=1e-4)


def test_people_alone_and_the_better_of_two_that_overlap(tmp_path):
    near = [side + 1 for side in PERSON]
    boxes = [in_letterbox(box) for box in (near, PERSON, OTHER)]
    outputs = litert(tmp_path / "net.tflite", boxes, [0.6, 0.9, 0.8], [1, 1, 3])
    for overlap, expected in ((None, [near, PERSON]), (0.5, [PERSON])):
        found, _ = detector_file(described(tmp_path, **outputs, person=1, overlap=overlap))(FRAME)
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("rows", ["first", "last"])
def test_a_table_of_boxes_and_classes_in_onnx(rows, tmp_path):
    tf2onnx = pytest.importorskip("tf2onnx", reason="the extra [onnx] is not installed")
    table = [[*centred(in_letterbox(PERSON)), 0.1, 0.7], [*centred(in_letterbox(OTHER)), 0.8, 0.3]]

    def network(image):
        values = tf.constant(np.array([np.transpose(table) if rows == "last" else table]), tf.float32)
        return {"output0": values + 0.0 * tf.reduce_mean(image)}

    signature = [tf.TensorSpec((1, 3, *SIZE), tf.float32, "images")]
    function = tf.function(network, input_signature=signature, autograph=False)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=17)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    fields = {"file": "net.onnx", "table": "output0", "table_rows": rows, "box": "centre_size", "channels": "first"}
    boxes, scores = detector_file(described(tmp_path, **fields, person=1, overlap=0.7))(FRAME)
    np.testing.assert_allclose(boxes, [PERSON], atol=1e-3)
    np.testing.assert_allclose(scores, [0.7], atol=1e-6)
    with pytest.raises(InputError, match=r"none of class 5. Received: 6 columns"):
        detector_file(described(tmp_path, **fields, person=5))(FRAME)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scores": "sores"}, "detector.json': Unknown output of the detector: 'sores'"),
        ({"image_size": [64, 64]}, r"takes images \[1, 64, 128, 3\] and .* says \[1, 64, 64, 3\]"),
        ({"channels": "first"}, r"says \[1, 3, 64, 128\]: 'image_size' or 'channels' is wrong"),
        ({"channels": "middle"}, "Unknown channels: 'middle'.*first, last"),
        ({"box": "corners"}, "Unknown box: 'corners'"),
        ({"overlap": 0}, "'overlap' must be above 0 and at most 1. Received: 0"),
        ({"boxes": None}, "are 'boxes' and 'scores', or a 'table'"),
        ({"standard_deviation": [1, 0, 1]}, "'standard_deviation' are above 0"),
        ({"file": "net.pt"}, "is .onnx or .tflite. Received: .*net.pt"),
        ({"file": "none.tflite"}, "none.tflite' cannot be read"),
        ({"file": "detector.json"}, "is .onnx or .tflite"),
    ],
)
def test_what_is_refused(fields, message, tmp_path):
    outputs = litert(tmp_path / "net.tflite", [in_letterbox(PERSON)], [0.9])
    with pytest.raises(InputError, match=message):
        detector_file(described(tmp_path, **{**outputs, **fields}))


def test_a_damaged_file_and_other_outputs(tmp_path):
    outputs = litert(tmp_path / "net.tflite", [in_letterbox(PERSON)], [0.9])
    path = described(tmp_path, boxes=outputs["scores"], scores=outputs["boxes"])
    with pytest.raises(InputError, match=r"gives boxes \[N, 4\] and as many scores and classes. Received: "):
        detector_file(path)(FRAME)
    (tmp_path / "net.tflite").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a valid TensorFlow Lite file of a detector"):
        detector_file(path)


def test_a_detector_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_people.py").write_text("def find(frame):\n    return [[0, 0, 5, 9]], [0.5]\n\nnone = 3\n")
    boxes, scores = detector_named("my_people:find")(FRAME)
    assert (boxes, scores) == ([[0, 0, 5, 9]], [0.5])
    outputs = litert(tmp_path / "net.tflite", [in_letterbox(PERSON)], [0.9])
    found, _ = detector_named(str(described(tmp_path, **outputs)))(FRAME)
    np.testing.assert_allclose(found, [PERSON], atol=1e-3)
    for text, message in (
        ("yolo", "'ssdlite', a .json file that describes one, keras_hub:PRESET, or module:function. Received: 'yolo'"),
        ("my_people:none", "has no function 'none'"),
        ("no_such_module:find", "'no_such_module' of the detector cannot be imported: ModuleNotFoundError"),
    ):
        with pytest.raises(InputError, match=message):
            detector_named(text)
