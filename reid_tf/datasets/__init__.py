"""Files to records. Importing this package registers every data set and validation split."""

from reid_tf.datasets import attribute_challenge as attribute_challenge
from reid_tf.datasets import coco_keypoints as coco_keypoints
from reid_tf.datasets import csv_table as csv_table
from reid_tf.datasets import cuhk03 as cuhk03
from reid_tf.datasets import cuhk03_classic as cuhk03_classic
from reid_tf.datasets import dukemtmc_reid as dukemtmc_reid
from reid_tf.datasets import folder as folder
from reid_tf.datasets import market1501 as market1501
from reid_tf.datasets import msmt17 as msmt17
from reid_tf.datasets import occluded_duke as occluded_duke
from reid_tf.datasets import prepared as prepared
from reid_tf.datasets import sources as sources
from reid_tf.datasets import splits as splits
from reid_tf.datasets import synthetic as synthetic
from reid_tf.datasets import town_centre as town_centre
