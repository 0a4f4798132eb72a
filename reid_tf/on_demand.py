"""Names of a package that are imported when they are first asked for."""

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_demand(
    package: str, homes: Mapping[str, str], rooms: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes the two functions by which Python looks up what a module does not hold yet.

    Args:
        package: str. The package's `__name__`.
        homes: mapping from a name to the module that defines it.
        rooms: sequence of str. Packages inside the package that are attributes of it,
            too.

    Returns:
        What the package calls `__getattr__`, and `__dir__`.
    """

    def look_up(name: str) -> Any:
        if name in rooms:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(homes[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes, *rooms})

    return look_up, names
