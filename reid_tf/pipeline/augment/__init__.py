"""Augmentations: one file per operation, each a function of a whole batch and a seed."""

from reid_tf.pipeline.augment import colour_jitter as colour_jitter
from reid_tf.pipeline.augment import flip as flip
from reid_tf.pipeline.augment import keras_layer as keras_layer
from reid_tf.pipeline.augment import random_crop as random_crop
from reid_tf.pipeline.augment import random_erasing as random_erasing
from reid_tf.pipeline.augment import random_rotation as random_rotation
