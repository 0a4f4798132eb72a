"""Keras layers that the backbones and models share; importing them makes saved models loadable."""

from reid_tf.layers.attribute_reweighting import AttributeReweighting as AttributeReweighting
from reid_tf.layers.batch_normalization import BatchNormalization as BatchNormalization
from reid_tf.layers.class_vectors import CentreDistances as CentreDistances
from reid_tf.layers.class_vectors import CosineClassifier as CosineClassifier
from reid_tf.layers.depthwise_conv2d import DepthwiseConv2D as DepthwiseConv2D
from reid_tf.layers.gem_pooling import GeneralizedMeanPooling as GeneralizedMeanPooling
from reid_tf.layers.instance_normalization import InstanceBatchNormalization as InstanceBatchNormalization
from reid_tf.layers.instance_normalization import InstanceNormalization as InstanceNormalization
from reid_tf.layers.local_response_normalization import LocalResponseNormalization as LocalResponseNormalization
from reid_tf.layers.pairs import SplitPairs as SplitPairs
from reid_tf.layers.pairs import StackPairs as StackPairs
from reid_tf.layers.preprocessing import ChannelNormalization as ChannelNormalization
from reid_tf.layers.roi_pooling import RoIMaxPooling as RoIMaxPooling
from reid_tf.layers.square_difference import SquareDifference as SquareDifference
from reid_tf.layers.stripe_pooling import StripePooling as StripePooling
