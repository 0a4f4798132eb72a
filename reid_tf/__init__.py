"""Person re-identification on Keras 3 and TensorFlow.

The names that programs use most are here too, and so are the rooms (`reid_tf.models`,
`reid_tf.losses`, ...). Each is imported when it is first asked for, so that `import
reid_tf` alone loads neither TensorFlow nor Keras. Where a program imports Keras too, it
can open the package's saved models with Keras' own functions.
"""

from typing import TYPE_CHECKING

from reid_tf.keras_names import register_with_keras
from reid_tf.on_demand import on_demand

if TYPE_CHECKING:
    from reid_tf import backbones as backbones
    from reid_tf import datasets as datasets
    from reid_tf import layers as layers
    from reid_tf import losses as losses
    from reid_tf import metrics as metrics
    from reid_tf import models as models
    from reid_tf import retrieval as retrieval
    from reid_tf import serving as serving
    from reid_tf.config import load_config as load_config
    from reid_tf.datasets.load import load_dataset as load_dataset
    from reid_tf.encoder.embed import embed as embed
    from reid_tf.encoder.encoder import Encoder as Encoder
    from reid_tf.encoder.load import load_encoder as load_encoder
    from reid_tf.errors import InputError as InputError
    from reid_tf.retrieval.embeddings import Embeddings as Embeddings
    from reid_tf.retrieval.metrics import evaluate as evaluate
    from reid_tf.retrieval.ranking import rank as rank
    from reid_tf.retrieval.ranking import rerank as rerank
    from reid_tf.training.batches import make_batches as make_batches
    from reid_tf.training.saved import load_model as load_model
    from reid_tf.training.train import train as train

__version__ = "0.2.0"

_HOMES = {
    "Embeddings": "reid_tf.retrieval.embeddings",
    "Encoder": "reid_tf.encoder.encoder",
    "InputError": "reid_tf.errors",
    "embed": "reid_tf.encoder.embed",
    "evaluate": "reid_tf.retrieval.metrics",
    "load_config": "reid_tf.config",
    "load_dataset": "reid_tf.datasets.load",
    "load_encoder": "reid_tf.encoder.load",
    "load_model": "reid_tf.training.saved",
    "make_batches": "reid_tf.training.batches",
    "rank": "reid_tf.retrieval.ranking",
    "rerank": "reid_tf.retrieval.ranking",
    "train": "reid_tf.training.train",
}
_ROOMS = ("backbones", "datasets", "layers", "losses", "metrics", "models", "retrieval", "serving")

__getattr__, __dir__ = on_demand(__name__, _HOMES, _ROOMS)

register_with_keras()
