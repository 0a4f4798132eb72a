"""Keras knows the package's layers, losses and optimizers by name as soon as both are imported, in either order.

Keras opens a saved model by the names that were registered before, and has no place
where a package says which modules do that. To import them with the package would load
TensorFlow, which takes seconds, into programs that need none; so they are imported
right after Keras is.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

# What registers a class or function that saved models name.
_REGISTERING = ("layers", "losses", "metrics", "training.optimizers", "training.schedules")


def register_with_keras() -> None:
    """Registers the names now where Keras has been imported, otherwise when it is."""
    if sys.modules.get("keras") is not None:
        _register()
    else:
        sys.meta_path.insert(0, _WhenKerasIsImported())


def _register() -> None:
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("reid_tf.")]
    # One of the package's own modules is importing Keras: it, and what it imports next, register what they need.
    if any(getattr(module.__spec__, "_initializing", False) for module in modules):
        return
    for name in _REGISTERING:
        importlib.import_module(f"reid_tf.{name}")


class _WhenKerasIsImported(importlib.abc.MetaPathFinder):
    """Waits for the import of Keras, once."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                _register()

            spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec
