"""From Keras to people found again: a backbone of one's own, `fit`, an encoder, and a score on people never seen."""

import keras
from keras import layers

import reid_tf

# Drawn people, so that nothing has to be downloaded; "market1501" with root="..." works in the same way.
dataset = reid_tf.load_dataset("synthetic", identities=300, images_per_identity=6)
print(dataset)

# Any model from images, RGB 0..255, to a feature map: this one, or keras.applications with include_top=False.
backbone = keras.Sequential([keras.Input((128, 64, 3)), layers.Rescaling(1 / 127.5, offset=-1)])
for channels in (32, 64, 128, 256):
    backbone.add(layers.Conv2D(channels, 3, strides=2, padding="same", use_bias=False))
    backbone.add(layers.BatchNormalization(momentum=0.9))
    backbone.add(layers.ReLU())

system = reid_tf.models.multitask(
    backbone, num_identities=dataset.num_identities, embedding_dim=128, batch_norm_neck=True
)
batches = reid_tf.make_batches(dataset, system, batch_size=64)  # pairs, flipped and erased; or a tf.data of your own

model = system.compile(keras.optimizers.AdamW(2e-3))
model.fit(batches, epochs=4, shuffle=False)  # they are in random order already
model.save("model.keras")

model = reid_tf.load_model("model.keras")  # with its losses, metrics and optimizer: it goes on where it stopped
model.fit(batches, epochs=2, shuffle=False)

encoder = reid_tf.Encoder(model.get_layer("encoder"))  # the branch that is kept: images of any size to vectors
print(encoder([dataset.query[0].path]).shape)

query, gallery = (reid_tf.embed(encoder, records) for records in (dataset.query, dataset.gallery))
print(reid_tf.evaluate(query, gallery))
