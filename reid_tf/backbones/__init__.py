"""Image -> feature map; `common.py` has the contract that every backbone keeps."""

from reid_tf.backbones import alexnet as alexnet
from reid_tf.backbones import caffenet as caffenet
from reid_tf.backbones import osnet as osnet
from reid_tf.backbones import pose_inception as pose_inception
from reid_tf.backbones import res2net as res2net
from reid_tf.backbones import resnet as resnet
from reid_tf.backbones import tiny as tiny
from reid_tf.backbones import vgg as vgg
from reid_tf.backbones import vgg_front as vgg_front
