"""Outputs and labels -> one loss value a row of the batch."""

from reid_tf.losses.cross_entropy import CrossEntropy as CrossEntropy
from reid_tf.losses.cross_entropy import cross_entropy as cross_entropy
