"""An encoder carried outside: exports, and a client of a server that runs one.

The names that programs use stand here; each is imported when it is first asked for, so that the client works where
neither TensorFlow nor Keras is installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
