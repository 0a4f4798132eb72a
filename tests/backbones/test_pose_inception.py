"""The pose-guided network's backbone against its printed sizes and against Inception-v3's own modules."""

import collections
import functools

import keras
import pytest

from reid_tf.backbones.pose_inception import pose_inception

PRINTED = [
    (53, 25, 64),
    (51, 23, 192),
    (51, 23, 288),
    (51, 23, 288),
    (25, 11, 768),
    (25, 11, 768),
    (25, 11, 768),
    (25, 11, 768),
    (12, 5, 1280),
]


@functools.cache
def whole() -> keras.Model:
    return pose_inception((219, 103))


@functools.cache
def inception_v3() -> keras.Model:
    return keras.applications.InceptionV3(weights=None, include_top=False, input_shape=(139, 139, 3))


def stage_sizes(model: keras.Model) -> list[tuple[int, ...]]:
    return [model.get_layer(f"stage{stage}").output.shape[1:] for stage in range(1, 10)]


def kernels(model: keras.Model, before: str, end: str) -> collections.Counter:
    """The kernels of a module's convolutions, as a bag."""
    between = keras.Model(model.get_layer(before).output, model.get_layer(end).output)
    return collections.Counter(
        (layer.kernel.shape, layer.strides) for layer in between.layers if isinstance(layer, keras.layers.Conv2D)
    )


def test_the_printed_sizes():
    assert stage_sizes(whole()) == PRINTED


def test_the_stem_layer_by_layer():
    names = ["conv1_1_relu", "conv1_2_relu", "conv1_3_relu", "stage1", "conv2_crop"]
    sizes = [whole().get_layer(name).output.shape[1:] for name in names]
    assert sizes == [(109, 51, 32), (107, 51, 32), (107, 51, 64), (53, 25, 64), (51, 23, 64)]


@pytest.mark.parametrize(
    ("stage", "before", "module"),
    [
        (4, "mixed1", "mixed2"),
        (5, "mixed2", "mixed3"),
        (6, "mixed3", "mixed4"),
        (7, "mixed4", "mixed5"),
        (8, "mixed6", "mixed7"),
        (9, "mixed7", "mixed8"),
    ],
)
def test_the_convolutions_are_those_of_inception_v3(stage, before, module):
    ours = kernels(whole(), f"stage{stage - 1}", f"stage{stage}")
    assert ours == kernels(inception_v3(), before, module)


def test_the_towers_end_in_the_printed_totals():
    inputs = {stage: whole().get_layer(f"stage{stage}").input for stage in range(2, 10)}
    channels = {stage: [tensor.shape[-1] for tensor in tensors] for stage, tensors in inputs.items()}
    assert channels == {
        2: [48, 48, 72, 24],
        3: [64, 64, 96, 64],
        4: [64, 64, 96, 64],
        5: [384, 96, 288],
        6: [192] * 4,
        7: [192] * 4,
        8: [192] * 4,
        9: [320, 192, 768],
    }


def test_a_batch_normalisation_stands_before_every_relu():
    relus = [layer for layer in whole().layers if isinstance(layer, keras.layers.ReLU)]
    assert len(relus) == sum(isinstance(layer, keras.layers.Conv2D) for layer in whole().layers)
    for relu in relus:
        assert isinstance(relu.input._keras_history.operation, keras.layers.BatchNormalization), relu.name


@pytest.mark.parametrize("width", [0.5, 0.125])
def test_the_width_scales_every_layer(width):
    narrow = pose_inception((219, 103), width=width)
    assert stage_sizes(narrow) == [(*size, int(channels * width)) for *size, channels in PRINTED]


@pytest.mark.parametrize(
    ("image_size", "fourth", "last"),
    [((128, 64), (28, 13), (6, 2)), ((160, 80), (36, 17), (8, 3)), ((256, 128), (60, 29), (14, 6))],
)
def test_other_image_sizes(image_size, fourth, last):
    sizes = stage_sizes(pose_inception(image_size, width=0.125))
    assert (sizes[3][:2], sizes[8][:2]) == (fourth, last)
