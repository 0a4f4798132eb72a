"""The front of a VGG network: a feature map of fine stride, for networks that say where something is."""

import keras
from keras import layers

from reid_tf.backbones.blocks import convolution_norm
from reid_tf.backbones.common import image_input, require_positive, smallest_image
from reid_tf.backbones.weights.load import load_weights
from reid_tf.errors import InputError
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.options import Count
from reid_tf.registry import BACKBONES


@BACKBONES.register("vgg_front")
def vgg_front(
    image_size: tuple[int, int],
    *,
    stackwise_num_convolutions: tuple[Count, ...] = (2, 2, 4, 2),
    stackwise_channels: tuple[Count, ...] = (64, 128, 256, 512),
    batch_normalization: bool = True,
    weights: str | None = None,
) -> keras.Model:
    """Stacks of 3x3 convolutions with batch normalisation, and a 2x2 max pooling between two stacks.

    The stride is 2 to the power of the stacks but one. The default is the first ten
    layers of VGG-19, stride 8, as OpenPose has them; three stacks give stride 4, for
    images as small as pedestrians are.

    Args:
        image_size: (height, width) in pixels, at least the stride both.
        stackwise_num_convolutions: tuple of ints above 0. Convolutions per stack.
        stackwise_channels: tuple of ints above 0. Their channels, one number per stack.
        batch_normalization: bool. Whether each convolution is normalised, which it was
            not in the published network: False, and a bias, is for weights of that.
        weights: None, or the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, height /
        stride, width / stride, stackwise_channels[-1]].

    Raises:
        InputError: the image is too small, the two options differ in length or hold a
            number below 1, or the weights do not fit.

    References:
        Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image
        Recognition; Cao et al., Realtime Multi-Person 2D Pose Estimation using Part
        Affinity Fields (OpenPose).
    """
    if not 0 < len(stackwise_channels) == len(stackwise_num_convolutions):
        raise InputError(
            "vgg_front needs one or more stacks, with a number of convolutions and of channels for each. Received: "
            f"stackwise_num_convolutions={stackwise_num_convolutions}, stackwise_channels={stackwise_channels}."
        )
    for num_convolutions, channels in zip(stackwise_num_convolutions, stackwise_channels, strict=True):
        require_positive(num_convolutions, "stackwise_num_convolutions")
        require_positive(channels, "stackwise_channels")
    minimum = smallest_image(1, [(2, 2)] * (len(stackwise_channels) - 1))
    image, features = image_input(image_size, imagenet_normalization(), minimum, "vgg_front")
    for stack, num_convolutions in enumerate(stackwise_num_convolutions, start=1):
        if stack > 1:
            features = layers.MaxPooling2D(2, name=f"block{stack}_pool")(features)
        for index in range(1, num_convolutions + 1):
            features = convolution_norm(
                features,
                stackwise_channels[stack - 1],
                3,
                name=f"block{stack}_{index}",
                batch_normalization=batch_normalization,
                output_name=f"stage{stack}" if index == num_convolutions else None,
            )
    return load_weights(keras.Model(image, features, name="vgg_front"), weights)
