"""One training: a configuration becomes a run directory."""

from reid_tf.training import optimizers as optimizers
from reid_tf.training import schedules as schedules
