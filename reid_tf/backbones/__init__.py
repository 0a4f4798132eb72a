"""Image -> feature map; `common.py` has the contract that every backbone keeps."""

from reid_tf.backbones.alexnet import alexnet as alexnet
from reid_tf.backbones.caffenet import caffenet as caffenet
from reid_tf.backbones.efficientnet_lite import efficientnet_lite0 as efficientnet_lite0
from reid_tf.backbones.efficientnet_lite import efficientnet_lite1 as efficientnet_lite1
from reid_tf.backbones.efficientnet_lite import efficientnet_lite2 as efficientnet_lite2
from reid_tf.backbones.keras_application import keras_application as keras_application
from reid_tf.backbones.keras_hub import keras_hub as keras_hub
from reid_tf.backbones.mobilenet_v2 import mobilenet_v2 as mobilenet_v2
from reid_tf.backbones.osnet import osnet_x0_5 as osnet_x0_5
from reid_tf.backbones.osnet import osnet_x0_25 as osnet_x0_25
from reid_tf.backbones.osnet import osnet_x0_75 as osnet_x0_75
from reid_tf.backbones.osnet import osnet_x1_0 as osnet_x1_0
from reid_tf.backbones.pose_inception import pose_inception as pose_inception
from reid_tf.backbones.res2net import res2net26 as res2net26
from reid_tf.backbones.res2net import res2net50 as res2net50
from reid_tf.backbones.res2net import res2net101 as res2net101
from reid_tf.backbones.resnet import resnet18 as resnet18
from reid_tf.backbones.resnet import resnet26 as resnet26
from reid_tf.backbones.resnet import resnet50 as resnet50
from reid_tf.backbones.resnet import resnet101 as resnet101
from reid_tf.backbones.resnet_ibn import resnet18_ibn_b as resnet18_ibn_b
from reid_tf.backbones.resnet_ibn import resnet50_ibn_a as resnet50_ibn_a
from reid_tf.backbones.tiny import tiny as tiny
from reid_tf.backbones.vgg import vgg16 as vgg16
from reid_tf.backbones.vgg_front import vgg_front as vgg_front
