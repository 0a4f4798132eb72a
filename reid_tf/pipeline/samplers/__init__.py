"""Samplers: which images make up each batch."""

from reid_tf.pipeline.samplers import identities as identities
from reid_tf.pipeline.samplers import identity_pairs as identity_pairs
from reid_tf.pipeline.samplers import images as images
from reid_tf.pipeline.samplers import pairs as pairs
