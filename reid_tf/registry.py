"""Names in a configuration become functions here, and only here.

A component is a mapping `{"name": ..., option: value, ...}`. Parameters of a registered function that stand before its
`*` come from the caller (the image size, the backbone); those behind it, keyword-only, are the options that a
configuration may set, and their defaults in that signature are the only ones.
"""

import dataclasses
import difflib
import importlib
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pydantic

from reid_tf.errors import InputError

Component = Mapping[str, Any]
Options = Mapping[str, Any] | None


class Registry:
    """A table of functions of one kind, by name.

    Args:
        kind: str. What the functions make, in the words of an error message ("backbone").
        room: str. The package whose import enters them; it is imported at the first look-up, so that a registry costs
            nothing until it is used.
    """

    def __init__(self, kind: str, room: str) -> None:
        self.kind = kind
        self.room = room
        self._functions: dict[str, Callable[..., Any]] = {}

    def register(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Returns a decorator that enters a function under `name`; a name taken twice raises `ValueError`."""

        def enter(function: Callable[..., Any]) -> Callable[..., Any]:
            if name in self._functions:
                raise ValueError(f"The {self.kind} {name!r} is registered already, by {self._functions[name]!r}.")
            self._functions[name] = function
            return function

        return enter

    def names(self) -> tuple[str, ...]:
        """Returns the registered names in alphabetical order."""
        importlib.import_module(self.room)
        return tuple(sorted(self._functions))

    def get(self, name: str) -> Callable[..., Any]:
        """Returns the function entered under `name`; an unknown name raises `InputError` with the nearest one."""
        importlib.import_module(self.room)
        if name not in self._functions:
            raise InputError(unknown(self.kind, name, self._functions))
        return self._functions[name]

    def options(self, component: Component) -> dict[str, Any]:
        """Checks a component against its function's signature, without calling it.

        Args:
            component: mapping with the key "name" and any of the function's options.

        Returns:
            The options given, each converted to its annotated type (a YAML list to a tuple, an int to a float).

        Raises:
            InputError: the name or an option is unknown, a value has the wrong type, or a required option is missing.
        """
        if not isinstance(component, Mapping) or "name" not in component:
            raise InputError(f"A {self.kind} is given as {{name: ..., option: value}}. Received: {component!r}.")
        name = component["name"]
        given = {option: value for option, value in component.items() if option != "name"}
        return check_options(self.get(name), given, f"{self.kind} {name!r}")

    def build(self, component: Component, **given: Any) -> Any:
        """Calls the function that a component names.

        Args:
            component: mapping with the key "name" and any of the function's options.
            **given: what the caller knows; a function gets those of them that its signature names before the `*`.

        Returns:
            What the function returns.

        Raises:
            InputError: as `options()`.
        """
        options = self.options(component)
        function = self.get(component["name"])
        parameters = inspect.signature(function).parameters
        wanted = {key: value for key, value in given.items() if key in parameters and key not in _options_of(function)}
        return function(**wanted, **options)


def check_options(
    function: Callable[..., Any], given: Mapping[str, Any], what: str, without: Sequence[str] = ()
) -> dict[str, Any]:
    """Checks options against a function's keyword-only parameters, without calling it.

    A parameter annotated `Annotated[..., OptionsOf(other)]` takes a mapping of options itself, which is checked against
    `other` in the same way.

    Args:
        function: function, or class, whose options they are.
        given: mapping from option to value.
        what: str. How error messages name the function: "backbone 'tiny'".
        without: sequence of str. Parameters that are no options here.

    Returns:
        The options given, each converted to its annotated type.

    Raises:
        InputError: an option is unknown, a value has the wrong type, or a required option is missing.
    """
    allowed = {name: parameter for name, parameter in _options_of(function).items() if name not in without}
    hinted = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(hinted, include_extras=True)
    checked = {}
    for option, value in given.items():
        if option not in allowed:
            raise InputError(unknown(f"option of the {what}", option, allowed))
        hint = hints.get(option, Any)
        checked[option] = convert(value, hint, f"Option {option!r} of the {what}")
        for nested in getattr(hint, "__metadata__", ()):
            if isinstance(nested, OptionsOf) and value is not None:
                checked[option] = nested.check(value, f"{what}, {option}")
    for option, parameter in allowed.items():
        if parameter.default is inspect.Parameter.empty and option not in checked:
            raise InputError(f"The {what} needs the option {option!r}. Received: {dict(given)!r}.")
    return checked


@dataclasses.dataclass(frozen=True)
class OptionsOf:
    """Marks a parameter that holds the options of another function: `Annotated[Options, OptionsOf(TripletLoss)]`.

    Args:
        function: function or class.
        without: tuple of str. Those of its options that are settled otherwise.
    """

    function: Callable[..., Any]
    without: tuple[str, ...] = ()

    def check(self, given: Mapping[str, Any], what: str) -> dict[str, Any]:
        """Checks options as `check_options()` does."""
        return check_options(self.function, given, what, self.without)


def _options_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters
    return {key: p for key, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


def unknown(what: str, received: str, allowed: Iterable[str]) -> str:
    """Returns the sentence for a name that does not exist, with the nearest one that does."""
    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(received), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {what}: {received!r}.{hint} Allowed: {', '.join(allowed) or 'none'}."


def convert(value: Any, annotation: Any, what: str) -> Any:
    """Returns `value` as the annotated type, or raises an `InputError` that begins with `what`."""
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value)
    except pydantic.ValidationError as error:
        raise InputError(f"{what}{_reason(error)}.") from None


def _reason(error: pydantic.ValidationError) -> str:
    """Says where a value is wrong, why (a union of types has a reason each), and which it is."""
    errors = error.errors()
    place = errors[0]["loc"]
    if len(errors) > 1 and isinstance(place[-1], str) and errors[0]["input"] is errors[1]["input"]:
        place = place[:-1]  # the last part is a branch of the union
        reasons = " or ".join(dict.fromkeys(str(one["msg"]) for one in errors if one["loc"][: len(place)] == place))
    else:
        reasons = errors[0]["msg"]
    where = "".join(f"[{part!r}]" for part in place)
    return f"{where} is wrong: {reasons}. Received: {errors[0]['input']!r}"


DATASETS = Registry("data set", "reid_tf.datasets")
VALIDATIONS = Registry("validation split", "reid_tf.datasets")
DETECTORS = Registry("landmark detector", "reid_tf.pose")
AUGMENTATIONS = Registry("augmentation", "reid_tf.pipeline.augment")
SAMPLERS = Registry("sampler of batches", "reid_tf.pipeline.samplers")
BACKBONES = Registry("backbone", "reid_tf.backbones")
MODELS = Registry("model", "reid_tf.models")
OPTIMIZERS = Registry("optimizer", "reid_tf.training")
SCHEDULES = Registry("learning-rate schedule", "reid_tf.training")
