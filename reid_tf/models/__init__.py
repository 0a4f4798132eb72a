"""Backbone -> named outputs: one file a system, each a `System` that training and retrieval understand."""

from reid_tf.models import attribute as attribute
from reid_tf.models import baseline as baseline
from reid_tf.models import cpm as cpm
from reid_tf.models import joint_loss as joint_loss
from reid_tf.models import multitask as multitask
from reid_tf.models import sharenet as sharenet
from reid_tf.models import triplet as triplet
from reid_tf.models import verification as verification
