"""Records -> batches: sampling, reading, decoding, augmenting. The only tf.data code of the package."""

from reid_tf.pipeline import augment as augment
from reid_tf.pipeline import samplers as samplers
