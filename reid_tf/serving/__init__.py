"""An encoder carried outside: exports, and a client of a server that runs one.

The names that programs use are here; each is imported when it is first asked for, so
that the client works where neither TensorFlow nor Keras is installed.
"""

from typing import TYPE_CHECKING

from reid_tf.on_demand import on_demand

if TYPE_CHECKING:
    from reid_tf.serving.client import Client as Client
    from reid_tf.serving.client import Verification as Verification
    from reid_tf.serving.rest import ServerError as ServerError
    from reid_tf.serving.signatures import build_serving_module as build_serving_module
    from reid_tf.serving.signatures import save_serving_module as save_serving_module

_HOMES = {
    "Client": "reid_tf.serving.client",
    "ServerError": "reid_tf.serving.rest",
    "Verification": "reid_tf.serving.client",
    "build_serving_module": "reid_tf.serving.signatures",
    "save_serving_module": "reid_tf.serving.signatures",
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
