"""VGG networks with their fully connected layers as convolutions."""

from collections.abc import Sequence

import keras
from keras import layers

from reid_tf.backbones.blocks import fully_connected_stages
from reid_tf.backbones.common import image_input, scaled, smallest_image
from reid_tf.backbones.weights.load import PublishedWeights, load_weights
from reid_tf.layers.preprocessing import caffe_normalization
from reid_tf.registry import BACKBONES

FC6_SIZE = 7  # the map that fc6 covers


def vgg(
    image_size: tuple[int, int],
    *,
    name: str,
    stackwise_num_convolutions: Sequence[int],
    stackwise_channels: Sequence[int],
    fully_connected_channels: int,
    dropout: float,
) -> keras.Model:
    """Five stacks of 3x3 convolutions, each with a 2x2 max pooling, then fc6 and fc7: seven stages.

    Args:
        image_size: (height, width) in pixels; each is enlarged to 224 where it is less.
        name: str. Name of the model.
        stackwise_num_convolutions: 5 ints. Convolutions per stack.
        stackwise_channels: 5 ints. Their channels.
        fully_connected_channels: int. Channels of fc6 and fc7.
        dropout: float in [0, 1). Rate after fc6 and fc7.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        fully_connected_channels].

    Raises:
        InputError: an option is out of range.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
        Recognition.
    """
    minimum = smallest_image(FC6_SIZE, [(2, 2)] * len(stackwise_channels))
    image, features = image_input(image_size, caffe_normalization(), minimum, name, enlarges=True)
    stacks = zip(stackwise_num_convolutions, stackwise_channels, strict=True)
    for stage, (num_convolutions, channels) in enumerate(stacks, start=1):
        for index in range(1, num_convolutions + 1):
            features = layers.Conv2D(
                channels,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",  # so many layers without normalisation would fade with Keras' own
                name=f"block{stage}_conv{index}",
            )(features)
        features = layers.MaxPooling2D(2, name=f"stage{stage}")(features)
    features = fully_connected_stages(features, fully_connected_channels, FC6_SIZE, dropout, "he_normal", bias=0.0)
    return keras.Model(image, features, name=name)


def convert_keras_vgg(source: keras.Model, model: keras.Model) -> None:
    """Copies the weights of `keras.applications.VGG16` with its top into our network.

    A dense layer on a flattened map is a convolution as large as the map: its rows are
    the map's positions and channels in the order height, width, channel.

    Args:
        source: keras.Model of `keras.applications`.
        model: keras.Model made by `vgg`.
    """
    dense = {"fc6": "fc1", "fc7": "fc2"}
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            kernel, bias = source.get_layer(dense.get(layer.name, layer.name)).get_weights()
            layer.set_weights([kernel.reshape(layer.kernel.shape), bias])


KERAS_VGG16 = PublishedWeights(
    application=keras.applications.VGG16,
    convert=convert_keras_vgg,
    fully_connected=True,
)


@BACKBONES.register("vgg16")
def vgg16(
    image_size: tuple[int, int],
    *,
    dropout: float = 0.5,
    width_multiplier: float = 1.0,
    weights: str | None = None,
) -> keras.Model:
    """VGG-16 up to fc7; its own image size, 224x224, gives one vector of 4096, a larger image a map of them.

    Args:
        image_size: (height, width) in pixels; each is enlarged to 224 where it is less.
        dropout: float in [0, 1). Rate after fc6 and fc7.
        width_multiplier: float above 0. Factor of all channel counts, for a narrow
            version.
        weights: None, "imagenet" (553 MB), or the path of a weights file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        4096], h = w = 1 at 224 x 224.

    Raises:
        InputError: an option is out of range, or the weights cannot be had or do not
            fit.
    """
    model = vgg(
        image_size,
        name="vgg16",
        stackwise_num_convolutions=(2, 2, 3, 3, 3),
        stackwise_channels=[scaled(channels, width_multiplier) for channels in (64, 128, 256, 512, 512)],
        fully_connected_channels=scaled(4096, width_multiplier),
        dropout=dropout,
    )
    published = KERAS_VGG16 if width_multiplier == 1.0 else None
    return load_weights(model, weights, published, {"width_multiplier": width_multiplier})
