"""People as a detector or tracker sees them: boxes in frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number

if TYPE_CHECKING:
    from reid_tf.encoder.encoder import Encoder

Colour = Literal["bgr", "rgb"]


class BoxEmbeddings(NamedTuple):
    """Vectors of boxes, in their order.

    Args:
        vectors: float32 [N, dim]. NaN where a box is not good.
        good: bool [N].
        reasons: tuple of N str. What is wrong with each box; "" where it is good.
    """

    vectors: np.ndarray
    good: np.ndarray
    reasons: tuple[str, ...]


def embed_boxes(
    encoder: "Encoder",
    frame: np.ndarray,
    boxes: Any,
    colour: Colour = "bgr",
    least_side: int = 4,
    batch_size: int = 64,
) -> BoxEmbeddings:
    """Embeds the boxes of one frame; a bad box stops nothing.

    Args:
        encoder: `Encoder`.
        frame: uint8 [height, width, 3].
        boxes: float [N, 4]. Left, top, right, bottom in pixels; what lies outside the
            frame is cut off.
        colour: "bgr", as OpenCV reads, or "rgb".
        least_side: int >= 1. Pixels that a box must have at least, each way, inside the
            frame.
        batch_size: int >= 1. Boxes that go through the model at once.

    Returns:
        `BoxEmbeddings`.

    Raises:
        InputError: the frame or the array of boxes is none, or an option is wrong.
    """
    return embed_boxes_of_frames(encoder, [frame], [boxes], colour, least_side, batch_size)[0]


def embed_boxes_of_frames(
    encoder: "Encoder",
    frames: Sequence[np.ndarray],
    boxes: Sequence[Any],
    colour: Colour = "bgr",
    least_side: int = 4,
    batch_size: int = 64,
) -> list[BoxEmbeddings]:
    """Embeds the boxes of several frames, batches across frames.

    Args:
        encoder: `Encoder`.
        frames: sequence of uint8 [height, width, 3], of any sizes.
        boxes: sequence of float [N, 4], one for each frame.
        colour: "bgr" or "rgb".
        least_side: int >= 1.
        batch_size: int >= 1.

    Returns:
        list of `BoxEmbeddings`, one for each frame.

    Raises:
        InputError: as `embed_boxes()`, or there are more or fewer arrays of boxes than
            frames.
    """
    if colour not in get_args(Colour):
        raise InputError(f"The colour order of a frame is 'bgr' or 'rgb'. Received: colour={colour!r}.")
    if len(frames) != len(boxes):
        raise InputError(
            f"Every frame needs its boxes. Received: {len(frames)} frames and {len(boxes)} arrays of boxes."
        )
    least_side = whole_number("least_side", least_side)
    crops: list[np.ndarray] = []
    judged: list[list[str]] = []
    for number, (frame, of_frame) in enumerate(zip(frames, boxes, strict=True)):
        frame, of_frame = _checked(number, frame, of_frame)
        inside = cut_to_frame(of_frame, frame.shape[:2])
        reasons = _reasons(of_frame, inside, frame.shape[:2], least_side)
        judged.append(reasons)
        for (left, top, right, bottom), reason in zip(inside, reasons, strict=True):
            if not reason:
                crop = frame[top:bottom, left:right]
                crops.append(crop[..., ::-1] if colour == "bgr" else crop)
    found = encoder(crops, batch_size)
    results, used = [], 0
    for reasons in judged:
        good = np.array([not reason for reason in reasons], bool)
        count = int(good.sum())
        vectors = np.full((len(reasons), encoder.dim), np.nan, np.float32)
        vectors[good] = found[used : used + count]
        used += count
        results.append(BoxEmbeddings(vectors, good, tuple(reasons)))
    return results


def _checked(number: int, frame: Any, boxes: Any) -> tuple[np.ndarray, np.ndarray]:
    frame = np.asarray(frame)
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        raise InputError(
            f"A frame must be uint8 [height, width, 3]. Received: frame {number} of shape {list(frame.shape)}, "
            f"{frame.dtype}."
        )
    array = np.asarray(boxes, np.float64)
    if not array.size:
        array = array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise InputError(
            f"Boxes must be [N, 4]: left, top, right, bottom. Received: shape {list(array.shape)} for frame {number}."
        )
    return frame, array


def cut_to_frame(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rounds boxes outwards to whole pixels and cuts off what lies outside the frame.

    Args:
        boxes: float [N, 4]. Left, top, right, bottom.
        size: (int, int). Height and width of the frame.

    Returns:
        int64 [N, 4].
    """
    height, width = size
    finite = np.nan_to_num(boxes, nan=0.0, posinf=1e9, neginf=-1e9)
    outwards = np.concatenate([np.floor(finite[:, :2]), np.ceil(finite[:, 2:])], axis=1)
    return np.clip(outwards, 0, [width, height, width, height]).astype(np.int64)


def _reasons(boxes: np.ndarray, inside: np.ndarray, size: tuple[int, int], least_side: int) -> list[str]:
    """What is wrong with each box, "" where nothing is."""
    height, width = size
    reasons = []
    for box, (left, top, right, bottom) in zip(boxes.tolist(), inside.tolist(), strict=True):
        if not np.isfinite(box).all():
            reasons.append(f"not finite: {box}")
        elif box[2] <= box[0] or box[3] <= box[1]:
            reasons.append(f"empty or inverted: {box}")
        elif right <= left or bottom <= top:
            reasons.append(f"outside the frame of {width} x {height}: {box}")
        elif min(right - left, bottom - top) < least_side:
            reasons.append(f"smaller than {least_side} pixels inside the frame: {box}")
        else:
            reasons.append("")
    return reasons
