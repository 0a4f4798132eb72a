"""Images to landmarks to the boxes of body parts. Importing this package registers every landmark detector."""

from reid_tf.pose import cpm as cpm
from reid_tf.pose import landmark_file as landmark_file
from reid_tf.pose import movenet as movenet
