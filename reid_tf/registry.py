"""Names in a configuration become functions here, and only here.

A component is a mapping `{"name": ..., option: value, ...}`. Parameters of a registered
function before its `*` come from the caller (the image size, the backbone); those after
it, keyword-only, are the options that a configuration may set, and their defaults in
that signature are the only ones. A registered function checks its options whoever calls
it: Python gets the same sentences as YAML.
"""

import functools
import importlib
import importlib.metadata
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from reid_tf.errors import InputError, one_line
from reid_tf.options import Component, check_options, is_option, options_of, unknown

Function = TypeVar("Function", bound=Callable[..., Any])

ENTRY_POINTS = "reid_tf.components"


class Registry:
    """A table of functions of one kind, by name.

    Args:
        kind: str. What the functions make, in the words of an error message
            ("backbone").
        room: str. The package whose import enters them; it is imported at the first
            look-up, so that a registry costs nothing until it is used. Installed
            packages enter theirs through the entry-point group `reid_tf.components`.
    """

    def __init__(self, kind: str, room: str) -> None:
        self.kind = kind
        self.room = room
        self._functions: dict[str, Callable[..., Any]] = {}
        self._renamed: dict[str, Mapping[str, str]] = {}
        self._former: dict[str, str] = {}

    def register(
        self, name: str, renamed: Mapping[str, str] | None = None, formerly: str | None = None
    ) -> Callable[[Function], Function]:
        """Returns a decorator that enters a function, or a class, under a name.

        The function that it returns checks the options of each call; a class stays as
        it is.

        Args:
            name: str.
            renamed: mapping from an option's former name to that of today, or None.
                Both are accepted.
            formerly: str, or None. A former name of the component, which is accepted too.

        Raises:
            InputError: another function has the name already. (The same one may be
                entered again, as a notebook does.)
        """

        def enter(function: Function) -> Function:
            other = self._functions.get(name)
            if other is not None and _place(other) != _place(function):
                raise InputError(
                    f"The {self.kind} {name!r} is already registered, by {_place(other)}; a new one needs a different "
                    f"name. Received: {_place(function)}."
                )
            entered = function if inspect.isclass(function) else self._checking(name, function)
            self._functions[name] = entered
            if renamed:
                self._renamed[name] = renamed
            if formerly:
                self._former[formerly] = name
            return typing.cast(Function, entered)

        return enter

    def names(self) -> tuple[str, ...]:
        """Returns the registered names in alphabetical order."""
        return tuple(sorted(self._entered()))

    def todays_name(self, name: str) -> str:
        """Returns what a component is called that had this name once; any other name as it is."""
        self._entered()
        return self._former.get(name, name)

    def get(self, name: str) -> Callable[..., Any]:
        """Returns the function entered under `name`; an unknown name raises `InputError` with the nearest one."""
        functions = self._entered()
        name = self.todays_name(name)
        if name not in functions:
            raise InputError(unknown(self.kind, name, functions))
        return functions[name]

    def options(self, component: Component) -> dict[str, Any]:
        """Checks a component against its function's signature, without calling it.

        Args:
            component: mapping with the key "name" and any of the function's options.

        Returns:
            The options given, each converted to its annotated type (a YAML list to a
            tuple, an int to a float).

        Raises:
            InputError: the name or an option is unknown, a value has the wrong type, or
                a required option is missing.
        """
        if not isinstance(component, Mapping) or "name" not in component:
            raise InputError(f"The {self.kind} must be given as {{name: ..., option: value}}. Received: {component!r}.")
        name = component["name"]
        if not isinstance(name, str):
            raise InputError(f"The name of the {self.kind} must be text. Received: {name!r}.")
        given = {option: value for option, value in component.items() if option != "name"}
        function = self.get(name)
        return self._check(name, function, given)

    def build(self, component: Component, **given: Any) -> Any:
        """Calls the function that a component names.

        Args:
            component: mapping with the key "name" and any of the function's options.
            **given: what the caller knows; a function gets those of them that its
                signature names before the `*`.

        Returns:
            What the function returns.

        Raises:
            InputError: as `options()`.
        """
        options = self.options(component)
        function = self.get(component["name"])
        parameters = inspect.signature(function).parameters
        wanted = {key: value for key, value in given.items() if key in parameters and key not in options_of(function)}
        return function(**wanted, **options)

    def from_module(self, module: str) -> bool:
        """Returns whether a module, or one inside it, has entered a function."""
        homes = (function.__module__ for function in self._functions.values())
        return any(f"{home}.".startswith(f"{module}.") for home in homes)

    def _entered(self) -> dict[str, Callable[..., Any]]:
        importlib.import_module(self.room)
        load_entry_points()
        return self._functions

    def _checking(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def checked(*arguments: Any, **given: Any) -> Any:
            positional = {key: p for key, p in inspect.signature(function).parameters.items() if not is_option(p)}
            passed = dict(zip(positional, arguments, strict=False))
            passed |= {key: value for key, value in given.items() if key in positional}
            self._check_types(name, function, passed)
            options = {key: value for key, value in given.items() if key not in positional}
            try:
                return function(*arguments, **(given | self._check(name, function, options)))
            except RecursionError:  # Keras goes from the outputs to the inputs, layer by layer
                raise InputError(
                    f"The {self.kind} {name!r} has more layers in a row than Keras can build. Received: {options!r}."
                ) from None

        return checked

    def _check(self, name: str, function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
        return check_options(function, options, f"{self.kind} {name!r}", self._renamed.get(name))

    def _check_types(self, name: str, function: Callable[..., Any], passed: Mapping[str, Any]) -> None:
        """Refuses another object where a function takes one of a certain class, such as a name for a backbone."""
        hints = typing.get_type_hints(function)
        for parameter, value in passed.items():
            kind = hints.get(parameter)
            if inspect.isclass(kind) and kind.__module__ != "builtins" and not isinstance(value, kind):
                package = kind.__module__.partition(".")[0]
                raise InputError(
                    f"{parameter!r} of the {self.kind} {name!r} must be a {package}.{kind.__name__}. "
                    f"Received: {value!r}."
                )


def import_components(modules: Iterable[str]) -> None:
    """Imports modules that enter components of their own, from the current folder too.

    Args:
        modules: iterable of str. Dotted names.

    Raises:
        InputError: a module cannot be imported, or enters nothing.
    """
    for module in modules:
        if module not in _imported:
            _import_one(module)
            _imported.add(module)


def import_users_module(module: str, whose: str) -> types.ModuleType:
    """Imports a module of a user's, from the current folder too.

    Args:
        module: str. A dotted name.
        whose: str. What the message says after the module's name.

    Raises:
        InputError: it cannot be imported.
    """
    here = os.getcwd()
    sys.path.append(here)  # at the end: a file of the folder must not hide an installed module
    try:
        return importlib.import_module(module)
    except InputError:  # a name that is taken
        raise
    except Exception as error:
        raise InputError(
            f"The module {module!r} {whose} cannot be imported: {type(error).__name__}: {one_line(error)}."
        ) from error
    finally:
        sys.path.remove(here)


_imported: set[str] = set()


def _import_one(module: str) -> None:
    before = sum(len(table._functions) for table in TABLES)
    import_users_module(module, "in `imports`")
    after = sum(len(table._functions) for table in TABLES)
    if after == before and not any(table.from_module(module) for table in TABLES):
        kinds = ", ".join(table.kind for table in TABLES)
        raise InputError(
            f"The module {module!r} in `imports` registers no component with a decorator of `reid_tf.registry` "
            f"({kinds}). Received: imports with {module!r}."
        )


@functools.cache
def load_entry_points() -> None:
    """Imports what installed packages name in the group `reid_tf.components`, once."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            package = entry.dist.name if entry.dist else "an unknown package"
            raise InputError(
                f"The entry point {entry.name!r} of {package} in {ENTRY_POINTS!r} cannot be imported "
                f"({entry.value}): {type(error).__name__}: {one_line(error)}."
            ) from error


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


DATASETS = Registry("data set", "reid_tf.datasets")
VALIDATIONS = Registry("validation split", "reid_tf.datasets")
DETECTORS = Registry("landmark detector", "reid_tf.pose")
AUGMENTATIONS = Registry("augmentation", "reid_tf.pipeline.augment")
SAMPLERS = Registry("sampler of batches", "reid_tf.pipeline.samplers")
BACKBONES = Registry("backbone", "reid_tf.backbones")
METRIC_LOSSES = Registry("metric loss", "reid_tf.losses")
MODELS = Registry("model", "reid_tf.models")
OPTIMIZERS = Registry("optimizer", "reid_tf.training")
SCHEDULES = Registry("learning-rate schedule", "reid_tf.training")
CALLBACKS = Registry("callback", "reid_tf.training")
TABLES = (
    DATASETS,
    VALIDATIONS,
    DETECTORS,
    AUGMENTATIONS,
    SAMPLERS,
    BACKBONES,
    METRIC_LOSSES,
    MODELS,
    OPTIMIZERS,
    SCHEDULES,
    CALLBACKS,
)
