"""Backbone -> named outputs: one file per system, each a `System` that training and retrieval understand."""

from reid_tf.models.attribute import attribute as attribute
from reid_tf.models.baseline import baseline as baseline
from reid_tf.models.cpm import cpm as cpm
from reid_tf.models.joint_loss import joint_loss as joint_loss
from reid_tf.models.multitask import multitask as multitask
from reid_tf.models.sharenet import sharenet as sharenet
from reid_tf.models.system import System as System
from reid_tf.models.triplet import triplet as triplet
from reid_tf.models.verification import verification as verification
