"""Person re-identification on Keras 3 and TensorFlow.

The names that programs use most stand here too; each is imported when it is first asked for, so that `import reid_tf`
alone loads neither TensorFlow nor Keras.
"""

from typing import TYPE_CHECKING

from reid_tf.on_demand import on_demand

if TYPE_CHECKING:
    from reid_tf.config import load_config as load_config
    from reid_tf.datasets.load import load_dataset as load_dataset
    from reid_tf.encoder.embed import embed as embed
    from reid_tf.encoder.load import load_encoder as load_encoder
    from reid_tf.retrieval.metrics import evaluate as evaluate
    from reid_tf.retrieval.ranking import rank as rank
    from reid_tf.training.train import train as train

_HOMES = {
    "embed": "reid_tf.encoder.embed",
    "evaluate": "reid_tf.retrieval.metrics",
    "load_config": "reid_tf.config",
    "load_dataset": "reid_tf.datasets.load",
    "load_encoder": "reid_tf.encoder.load",
    "rank": "reid_tf.retrieval.ranking",
    "train": "reid_tf.training.train",
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
