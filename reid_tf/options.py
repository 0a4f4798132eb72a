"""Options against the signature of the function that takes them, and the sentences for what is wrong.

A function's options are its keyword-only parameters; their annotations are the types
that values are converted to.
"""

import dataclasses
import difflib
import inspect
import math
import operator
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from reid_tf.errors import InputError

if TYPE_CHECKING:
    import pydantic

    from reid_tf.registry import Registry

Component = Mapping[str, Any]
Options = Mapping[str, Any] | None
OneOrMore = Options | Sequence[Component]


@dataclasses.dataclass(frozen=True)
class ComponentOf:
    """Marks an option that holds a component itself: `Annotated[Options, ComponentOf(METRIC_LOSSES, {...})]`.

    Args:
        table: `Registry`. Knows its name.
        default: component. What stands for None; a component of the same name, or of
            none, changes its options.
        without: tuple of str. Options that are settled otherwise.
    """

    table: "Registry"
    default: Component
    without: tuple[str, ...] = ()

    def check(self, given: OneOrMore, what: str) -> dict[str, Any] | list[dict[str, Any]]:
        """Returns the whole component, or each one of several, checked as `Registry.options` does.

        Args:
            given: mapping, a sequence of them (for an option that is annotated
                `OneOrMore`), or None.
            what: str. How error messages name the option: "model 'triplet',
                metric_loss".

        Raises:
            InputError: a component has another name or other options than there are,
                or of several there is none or one is named twice.
        """
        if given is None or isinstance(given, Mapping):
            return self._check_one(given or {}, what)
        components = [self._check_one(component, what) for component in given]
        names = [component["name"] for component in components]
        if not names or len(set(names)) < len(names):
            raise InputError(f"The {what} needs at least one component, and none twice. Received: {names}.")
        return components

    def _check_one(self, given: Component, what: str) -> dict[str, Any]:
        name = given.get("name", self.default["name"])
        component = {**(self.default if name == self.default["name"] else {}), **given}
        options = {option: value for option, value in component.items() if option != "name"}
        return {"name": name, **check_options(self.table.get(name), options, f"{what} {name!r}", without=self.without)}

    def build(self, given: OneOrMore, **settled: Any) -> list[Any]:
        """Builds the component, or all of several.

        Args:
            given: mapping, a sequence of them, or None.
            **settled: options that the caller decides, where a component has such an
                option.

        Returns:
            list of what was built, of one element where `given` is no sequence.
        """
        checked = self.check(given, self.table.kind)
        return [
            self.table.build(
                component
                | {key: value for key, value in settled.items() if key in options_of(self.table.get(component["name"]))}
            )
            for component in ([checked] if isinstance(checked, dict) else checked)
        ]


_MOST = {int: 2**32 - 1, float: 3.4028234663852886e38}  # of any option: what seeds and float32 hold
FINITE: Any = {"allow_inf_nan": False}  # of a dataclass that `convert` makes, as its `__pydantic_config__`


@dataclasses.dataclass(frozen=True)
class Within:
    """Marks the bounds of a number: `Annotated[int, Within(1)]`; any number is finite and of 32 bits, marked or not.

    Args:
        least: number, or None for no bound.
        most: number, or None for no bound.
        above: number that the value must exceed, or None.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None

    def __str__(self) -> str:
        if self.above is not None:
            return f"above {self.above}" + ("" if self.most is None else f" and at most {self.most}")
        if self.most is None:
            return f"at least {self.least}"
        return f"between {self.least} and {self.most}"

    def check(self, value: Any) -> Any:
        """Returns the number; one outside raises `ValueError`."""
        low = value >= self.least if self.least is not None else self.above is None or value > self.above
        if not (low and (self.most is None or value <= self.most)):
            raise ValueError(f"it must be {self}. Received: {value}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, handler(source))


Count = Annotated[int, Within(1)]
NotNegative = Annotated[float, Within(0)]
Positive = Annotated[float, Within(above=0)]
Share = Annotated[float, Within(0, 1)]
Whole = Annotated[int, Within(0)]


def check_options(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    what: str,
    renamed: Mapping[str, str] | None = None,
    without: Iterable[str] = (),
) -> dict[str, Any]:
    """Checks options against a function's keyword-only parameters, without calling it.

    A parameter annotated `Annotated[..., ComponentOf(table, default)]` takes a
    component, which is checked in the same way.

    Args:
        function: function, or class, whose options they are.
        given: mapping from option to value.
        what: str. How error messages name the function: "backbone 'tiny'".
        renamed: mapping from an option's former name to that of today, or None.
        without: iterable of str. Parameters that are not options here.

    Returns:
        The options given, each converted to its annotated type.

    Raises:
        InputError: an option is unknown, a value has the wrong type, or a required
            option is missing.
    """
    allowed = {name: parameter for name, parameter in options_of(function).items() if name not in without}
    hinted = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(hinted, include_extras=True)
    checked = {}
    for option, value in _in_todays_names(given, renamed or {}, what).items():
        if option not in allowed:
            raise InputError(unknown(f"option of the {what}", option, allowed))
        hint = hints.get(option, Any)
        checked[option] = convert(value, hint, f"Option {option!r} of the {what}")
        for nested in getattr(hint, "__metadata__", ()):
            if isinstance(nested, ComponentOf) and value is not None:
                checked[option] = nested.check(value, f"{what}, {option}")
    for option, parameter in allowed.items():
        if parameter.default is inspect.Parameter.empty and option not in checked:
            raise InputError(f"The {what} needs the option {option!r}. Received: {dict(given)!r}.")
    return checked


def _in_todays_names(given: Mapping[str, Any], renamed: Mapping[str, str], what: str) -> dict[str, Any]:
    for former, today in renamed.items():
        if former in given and today in given:
            raise InputError(
                f"The option {former!r} of the {what} is now called {today!r}; give only one of them. "
                f"Received: {given[former]!r} and {given[today]!r}."
            )
    return {renamed.get(option, option): value for option, value in given.items()}


def options_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Returns the options of a function, or class, by name."""
    parameters = inspect.signature(function).parameters
    return {key: p for key, p in parameters.items() if is_option(p)}


def is_option(parameter: inspect.Parameter) -> bool:
    """Returns whether a configuration may set a parameter."""
    # The key "name" of a component is what it is registered as.
    return parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.name != "name"


def host_and_port(address: str) -> tuple[str, int]:
    """Reads where a program is reached.

    Args:
        address: str. "host:port".

    Returns:
        (str, int).

    Raises:
        InputError: it has another form, or there is no such port.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536):
        raise InputError(f"An address must be host:port, such as 10.0.0.1:4000. Received: {address!r}.")
    return host.strip("[]"), int(port)


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Returns a count as an int; anything but a whole number of at least `least` raises an `InputError`."""
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)  # NumPy's integers are no int
    except TypeError:
        number = least - 1
    if number < least:
        raise InputError(f"{name} must be a whole number of at least {least}. Received: {name}={value!r}.")
    return number


def unknown(what: str, received: str, allowed: Iterable[str]) -> str:
    """Returns the sentence for a name that does not exist, with the nearest one that does."""
    allowed = sorted(allowed)
    near = difflib.get_close_matches(str(received), allowed, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {what}: {received!r}.{hint} Allowed: {', '.join(allowed) or 'none'}."


def convert(value: Any, annotation: Any, what: str) -> Any:
    """Returns `value` as the annotated type, or raises an `InputError` that begins with `what`."""
    import pydantic  # exported encoders, whose options nobody configures, do without

    try:
        config = None if dataclasses.is_dataclass(annotation) else FINITE
        converted = pydantic.TypeAdapter(annotation, config=config).validate_python(value)
    except pydantic.ValidationError as error:
        raise InputError(f"{what}{_reason(error)}.") from None
    for where, number in _numbers(converted):
        # Infinity where it is not meant is refused by the options themselves.
        if math.inf > abs(number) > (most := _MOST[float if isinstance(number, float) else int]):
            bound = f"at most {most}" if number > 0 else f"at least -{most}"
            raise InputError(f"{what}{where} is wrong: it must be {bound}. Received: {number}.")
    return converted


def _numbers(value: Any, where: str = "") -> Iterator[tuple[str, int | float]]:
    """Yields the numbers at any depth of a value, each with its place."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping | list | tuple):
        for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(part, f"{where}[{key!r}]")
    elif isinstance(value, int | float):
        yield where, value


def _reason(error: "pydantic.ValidationError") -> str:
    """Says where a value is wrong, why (a union of types has one reason per type), and which it is."""
    errors = error.errors()
    place = errors[0]["loc"]
    if len(errors) > 1 and isinstance(place[-1], str) and errors[0]["input"] is errors[1]["input"]:
        place = place[:-1]  # the last part is a branch of the union
        reasons = " or ".join(dict.fromkeys(str(one["msg"]) for one in errors if one["loc"][: len(place)] == place))
    else:
        reasons = errors[0]["msg"]
    where = "".join(f"[{part!r}]" for part in place)
    if errors[0]["type"] == "value_error":  # of `Within`
        return f"{where} is wrong: {str(errors[0]['msg']).removeprefix('Value error, ')}"
    return f"{where} is wrong: {reasons}. Received: {errors[0]['input']!r}"
