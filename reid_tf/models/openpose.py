"""OpenPose's published weights as a pose machine of ours."""

from pathlib import Path
from typing import Any

import keras

from reid_tf.backbones.weights.caffe_tables import OPENPOSE_COCO
from reid_tf.backbones.weights.conversion import Comparison, fill
from reid_tf.backbones.weights.state_dict import StateDict
from reid_tf.errors import InputError
from reid_tf.files import written_beside
from reid_tf.registry import BACKBONES, MODELS

IMAGE_SIZE = (368, 184)  # the height that OpenPose's networks are trained for, in the shape of pedestrians
STRIDE = 8
BACKBONE: dict[str, Any] = {"name": "vgg_front", "batch_normalization": False}
MODEL: dict[str, Any] = {
    "name": "cpm",
    "feature_channels": (256, 128),
    "first_stage_width": 512,
    "affinity_fields": 38,
    "batch_normalization": False,
}


def convert_openpose(state: StateDict, out: str | Path, image_size: tuple[int, int] = IMAGE_SIZE) -> Comparison:
    """Writes OpenPose's network for COCO's landmarks as a file that the landmark detector `cpm` takes.

    It is the whole network but for the part affinity fields of its last stage, which
    only tell several people apart: in an image of one person each landmark lies where
    its belief is highest.

    Args:
        state: `StateDict` of `pose_iter_440000.caffemodel`, or of its port to PyTorch
            `body_pose_model.pth`.
        out: str or Path. The `.keras` file to write.
        image_size: (height, width) in pixels to which images are resized, multiples of
            8. Larger ones take longer, and find smaller people.

    Returns:
        `Comparison`.

    Raises:
        InputError: the weights are of another network, `out` has another suffix, or the
            image size is no multiple of 8.

    References:
        Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields.
    """
    if Path(out).suffix != ".keras":
        raise InputError(f"The file of a converted pose machine must be named *.keras. Received: {str(out)!r}.")
    if min(image_size) < STRIDE or any(size % STRIDE for size in image_size):
        raise InputError(f"image_size must be multiples of {STRIDE} pixels. Received: image_size={image_size}.")
    model = _pose_machine(BACKBONE, MODEL, image_size)
    comparison = fill(model, OPENPOSE_COCO, state)
    with written_beside(out) as beside:
        model.save(beside)
    return comparison


def _pose_machine(backbone: dict[str, Any], model: dict[str, Any], image_size: tuple[int, int]) -> keras.Model:
    system = MODELS.build(model, backbone=BACKBONES.build(backbone, image_size=image_size))
    built: keras.Model = system.model
    return built
