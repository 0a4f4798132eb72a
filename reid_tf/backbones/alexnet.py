"""AlexNet in one tower, with the layer sizes of torchvision's published weights."""

import keras
from keras import layers

from reid_tf.backbones.blocks import fully_connected_stages
from reid_tf.backbones.common import image_input, scaled
from reid_tf.backbones.weights.load import load_weights
from reid_tf.layers.preprocessing import imagenet_normalization
from reid_tf.registry import BACKBONES

FC6_SIZE = 6  # the map that fc6 covers
IMAGE_SIZE = 224  # of the images behind the published weights; 223 would leave the same map
PADDING = 2  # of conv1, on every side


@BACKBONES.register("alexnet")
def alexnet(
    image_size: tuple[int, int],
    *,
    dropout: float = 0.5,
    width_multiplier: float = 1.0,
    weights: str | None = None,
) -> keras.Model:
    """AlexNet up to fc7; its own image size, 224x224, gives one vector of 4096, a larger image a map of them.

    Stages 1 to 7 are conv1 to conv5, fc6 and fc7, each with its pooling and dropout. It
    differs from `caffenet` in its widths, and has neither towers nor response
    normalisation. The dropout comes after fc6 and fc7, as in CaffeNet; torchvision has
    it before them, which is the same function in an encoder.

    Args:
        image_size: (height, width) in pixels; each is enlarged to 224 where it is less.
        dropout: float in [0, 1). Rate after fc6 and fc7.
        width_multiplier: float above 0. Factor of all channel counts, for a narrow
            version.
        weights: None, "imagenet" (torchvision's, 244 MB; `width_multiplier=1.0`), or
            the path of a `.weights.h5` file.

    Returns:
        keras.Model from image [batch, height, width, 3] to features [batch, h, w,
        4096], h = w = 1 up to 224 x 224.

    Raises:
        InputError: an option is out of range, or the weights cannot be had or do not
            fit.

    References:
        Krizhevsky, One Weird Trick for Parallelizing Convolutional Neural Networks.
    """
    conv1, conv2, conv3, conv4, conv5, fc = (scaled(c, width_multiplier) for c in (64, 192, 384, 256, 256, 4096))
    image, features = image_input(image_size, imagenet_normalization(), IMAGE_SIZE, "alexnet", enlarges=True)
    features = layers.ZeroPadding2D(PADDING, name="conv1_pad")(features)
    features = layers.ReLU(name="relu1")(layers.Conv2D(conv1, 11, 4, name="conv1")(features))
    features = layers.MaxPooling2D(3, 2, name="stage1")(features)
    features = layers.ReLU(name="relu2")(layers.Conv2D(conv2, 5, padding="same", name="conv2")(features))
    features = layers.MaxPooling2D(3, 2, name="stage2")(features)
    features = layers.ReLU(name="stage3")(layers.Conv2D(conv3, 3, padding="same", name="conv3")(features))
    features = layers.ReLU(name="stage4")(layers.Conv2D(conv4, 3, padding="same", name="conv4")(features))
    features = layers.ReLU(name="relu5")(layers.Conv2D(conv5, 3, padding="same", name="conv5")(features))
    features = layers.MaxPooling2D(3, 2, name="stage5")(features)  # [batch, 6, 6, 256] at 224x224
    features = fully_connected_stages(features, fc, FC6_SIZE, dropout, "glorot_uniform", bias=0.0)
    model = keras.Model(image, features, name="alexnet")
    return load_weights(model, weights, options={"width_multiplier": width_multiplier})
