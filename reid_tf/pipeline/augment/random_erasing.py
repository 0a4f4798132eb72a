"""Random erasing, after Zhong et al."""

from typing import Literal

import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.imagenet import MEAN
from reid_tf.options import Count
from reid_tf.pipeline.augment.augmentation import Augmentation, Batch, check_probability, chosen
from reid_tf.registry import AUGMENTATIONS


@AUGMENTATIONS.register("random_erasing")
def random_erasing(
    *,
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: tuple[float, float] = (0.3, 1 / 0.3),
    value: Literal["random", "mean"] | tuple[float, float, float] = "random",
    position: Literal["anywhere", "inside"] = "anywhere",
    attempts: Count = 100,
) -> Augmentation:
    """Replaces a random rectangle of an image.

    A rectangle with its area, aspect and position is drawn until it fits into the
    image. Drawn "anywhere", as in the paper's algorithm, a small rectangle fits more
    often, so that the areas erased lean to the small side. The authors' own program
    draws the position only among those where the rectangle fits: "inside", which erases
    more (on average about 20 % of an image instead of 15 %).

    Args:
        probability: float in [0, 1]. Of each image, independently; the paper's 0.5.
        area: (float, float) in (0, 1]. The rectangle's share of the image is uniform
            between them.
        aspect: (float, float). The rectangle's height over its width is uniform between
            them.
        value: "random" for a whole number of 0..255 for each pixel and channel (the
            paper's best), "mean" for ImageNet's mean colour, or three floats in 0..255.
        position: "anywhere" or "inside". Whether the upper left corner is drawn in the
            whole image.
        attempts: int >= 1. Rectangles drawn for an image; where none fits, nothing is
            erased.

    Returns:
        `Augmentation`.

    Raises:
        InputError: an option lies outside its range.

    References:
        Zhong, Zheng, Kang, Li and Yang, Random Erasing Data Augmentation,
        arXiv:1708.04896, algorithm 1.
    """
    check_probability("random_erasing", probability)
    _check_range("area", area, 1.0)
    _check_range("aspect", aspect, float("inf"))
    if attempts < 1:
        raise InputError(f"The attempts of random_erasing must be at least 1. Received: {attempts}.")
    colour = MEAN if value == "mean" else value
    if not isinstance(colour, str) and not all(0.0 <= channel <= 255.0 for channel in colour):
        raise InputError(f"The value of random_erasing must lie in 0..255. Received: {value}.")

    def augment(batch: Batch, seed: tf.Tensor) -> Batch:
        seeds = tf.random.split(seed, 3)
        height, width = batch["image"].shape[1:3]
        top, left, rows, columns = _draw_rectangles(batch, seeds[0], area, aspect, position, attempts)
        rows = tf.where(chosen(probability, batch, seeds[1]), rows, 0)
        # Pixels and channels form one axis, because TensorFlow is slow at spreading a mask over a short last axis.
        covered_rows = _covers(tf.range(height), top, rows)  # [batch, height]
        covered_columns = _covers(tf.repeat(tf.range(width), 3), left, columns)  # [batch, width * 3]
        pixels = tf.reshape(batch["image"], [-1, height, width * 3])
        new = _noise(tf.shape(pixels), seeds[2]) if colour == "random" else tf.tile(tf.constant(colour), [width])
        mask = covered_rows[:, :, tf.newaxis] & covered_columns[:, tf.newaxis, :]
        return {**batch, "image": tf.reshape(tf.where(mask, new, pixels), [-1, height, width, 3])}

    return augment


def _draw_rectangles(
    batch: Batch,
    seed: tf.Tensor,
    area: tuple[float, float],
    aspect: tuple[float, float],
    position: str,
    attempts: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Draws all attempts at once and keeps the first that fits.

    Returns:
        Four int32 [batch]: first row, first column, rows, columns. No row where nothing
        fits.
    """
    height, width = batch["image"].shape[1:3]
    drawn = tf.random.stateless_uniform([4, tf.shape(batch["image"])[0], attempts], seed)
    pixels = (area[0] + drawn[0] * (area[1] - area[0])) * (height * width)
    ratio = aspect[0] + drawn[1] * (aspect[1] - aspect[0])
    rows, columns = tf.round(tf.sqrt(pixels * ratio)), tf.round(tf.sqrt(pixels / ratio))
    spare_rows, spare_columns = (0.0, 0.0) if position == "anywhere" else (rows - 1.0, columns - 1.0)
    top = tf.floor(drawn[2] * (height - spare_rows))
    left = tf.floor(drawn[3] * (width - spare_columns))
    fits = (top + rows <= height) & (left + columns <= width) & (rows <= height) & (columns <= width)
    first = tf.argmax(tf.cast(fits, tf.int32), axis=1)  # 0 where none fits
    rows = tf.where(fits, rows, 0.0)
    top, left, rows, columns = (
        tf.cast(tf.gather(values, first, axis=1, batch_dims=1), tf.int32) for values in (top, left, rows, columns)
    )
    return top, left, rows, columns


def _covers(places: tf.Tensor, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Returns bool [batch, places]: whether a place lies in [start, start + length)."""
    start, length = start[:, tf.newaxis], length[:, tf.newaxis]
    return (places >= start) & (places < start + length)


def _noise(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns whole numbers uniform in 0..255 as float32: four from each random word, a quarter of the usual time."""
    words = tf.random.stateless_uniform([(tf.reduce_prod(shape) + 3) // 4], seed, None, None, tf.uint32)
    values = tf.reshape(tf.bitcast(words, tf.uint8), [-1])[: tf.reduce_prod(shape)]
    return tf.cast(tf.reshape(values, shape), tf.float32)


def _check_range(name: str, bounds: tuple[float, float], largest: float) -> None:
    if not 0.0 < bounds[0] <= bounds[1] <= largest or bounds[1] == float("inf"):
        raise InputError(
            f"The {name} of random_erasing must be two numbers above 0{' and up to 1' if largest == 1.0 else ''}, the "
            f"smaller first. Received: {bounds}."
        )
