"""Keras metrics of the outputs, to watch while they train."""

from reid_tf.metrics.attribute_accuracy import BinaryAttributeAccuracy as BinaryAttributeAccuracy
from reid_tf.metrics.attribute_accuracy import GroupAccuracy as GroupAccuracy
from reid_tf.metrics.triplet import triplet_metrics as triplet_metrics
