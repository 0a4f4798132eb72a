"""Outputs and labels -> one loss value per row of the batch."""

from reid_tf.losses.belief_maps import BeliefMapError as BeliefMapError
from reid_tf.losses.belief_maps import belief_map_error as belief_map_error
from reid_tf.losses.centre import CentreLoss as CentreLoss
from reid_tf.losses.circle import CircleLoss as CircleLoss
from reid_tf.losses.cosine_margin import ArcFaceLoss as ArcFaceLoss
from reid_tf.losses.cosine_margin import CosFaceLoss as CosFaceLoss
from reid_tf.losses.cross_entropy import CrossEntropy as CrossEntropy
from reid_tf.losses.cross_entropy import cross_entropy as cross_entropy
from reid_tf.losses.distillation import DistillationLoss as DistillationLoss
from reid_tf.losses.group_cross_entropy import GroupCrossEntropy as GroupCrossEntropy
from reid_tf.losses.group_cross_entropy import group_cross_entropy as group_cross_entropy
from reid_tf.losses.masked_binary_crossentropy import MaskedBinaryCrossentropy as MaskedBinaryCrossentropy
from reid_tf.losses.masked_binary_crossentropy import masked_binary_crossentropy as masked_binary_crossentropy
from reid_tf.losses.pairwise_distances import DISTANCES as DISTANCES
from reid_tf.losses.pose_triplet import PoseTripletLoss as PoseTripletLoss
from reid_tf.losses.supervised_contrastive import SupervisedContrastiveLoss as SupervisedContrastiveLoss
from reid_tf.losses.supervised_contrastive import supervised_contrastive as supervised_contrastive
from reid_tf.losses.triplet import TripletLoss as TripletLoss
