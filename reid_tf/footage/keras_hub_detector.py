"""KerasHub's detectors: RetinaNet, D-FINE."""

import importlib

import keras
import numpy as np

from reid_tf.errors import InputError, one_line, require_package
from reid_tf.footage.detectors import Detector
from reid_tf.footage.fitting import fit

LEAST_SCORE = 0.05  # what is less sure is not looked at; KerasHub's own limit is 0.5
# Which class is people: of people alone, of COCO's 80 classes, and of COCO's numbers, in which nothing is 0.
_PERSON = {1: 0, 80: 0, 91: 1}
_REFUSALS = (AttributeError, FileNotFoundError, KeyError, OSError, TypeError, ValueError)


def keras_hub_detector(preset: str) -> Detector:
    """Opens a detector of KerasHub, trained on COCO's classes or on people alone.

    Frames are stretched to the size of its preprocessing where that stretches, else
    letterboxed: nothing of a frame is cut off.

    Args:
        preset: str. As KerasHub's `ObjectDetector.from_preset` takes it: a name such as
            "dfine_small_coco", which is fetched, or a folder.

    Returns:
        function as `ssdlite()` returns it.

    Raises:
        InputError: KerasHub is not installed, or the preset cannot be had, is no
            detector's, has other classes, or does not say the size of its images.
    """
    require_package("keras-hub", f"The detector 'keras_hub:{preset}'", "'reid_tf[hub]'")
    models = importlib.import_module("keras_hub").models
    try:
        network = models.ObjectDetector.from_preset(preset)
    except _REFUSALS as error:
        raise InputError(f"KerasHub's preset {preset!r} cannot be had as a detector ({one_line(error)}).") from None
    converter = getattr(network.preprocessor, "image_converter", None)
    size = getattr(converter, "image_size", None)
    if converter is None or size is None:
        raise InputError(f"KerasHub's preset {preset!r} must say the size of its images. Received: {converter}.")
    stretches = not (converter.crop_to_aspect_ratio or converter.pad_to_aspect_ratio)
    network.prediction_decoder.confidence_threshold = LEAST_SCORE
    if network.num_classes not in _PERSON:
        raise InputError(
            f"KerasHub's preset {preset!r} must tell people alone, or COCO's 80 classes or 91 numbers. Received: "
            f"{network.num_classes} classes."
        )
    person = _PERSON[network.num_classes]

    def detect(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        fitted = fit(frame, size, "stretch" if stretches else "letterbox")
        found = network.predict(fitted.image[np.newaxis, ..., ::-1].astype(np.float32), verbose=0)
        labels, scores = np.asarray(found["labels"])[0], np.asarray(found["confidence"], np.float64)[0]
        boxes = keras.utils.bounding_boxes.convert_format(
            np.asarray(found["boxes"]),
            source=network.bounding_box_format,
            target="xyxy",
            height=size[0],
            width=size[1],
        )
        people = (labels == person) & (scores >= LEAST_SCORE)
        return fitted.back(np.asarray(boxes, np.float64)[0][people], scores[people])

    return detect
