"""Configuration files: YAML mappings laid over their bases, and overrides of single values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import omegaconf
import yaml
from omegaconf import OmegaConf

from reid_tf.errors import InputError, one_line
from reid_tf.options import unknown

_NOT_YAML = (yaml.YAMLError, omegaconf.errors.OmegaConfBaseException, UnicodeDecodeError, RecursionError, ValueError)
_MOST_VALUES = 100_000  # of a file: anchors upon anchors can make billions


def read_with_bases(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Reads a configuration laid over its base, that over its own base, and so on.

    Args:
        path: Path. A YAML file, perhaps with the key `base`.
        above: tuple of Path. The files that led here.

    Returns:
        dict without the key `base`.

    Raises:
        InputError: a file is missing or not a YAML mapping, or the bases form a circle.
    """
    here = path.resolve()
    if here in above:
        circle = " -> ".join(repr(str(file)) for file in (*above[above.index(here) :], here))
        raise InputError(f"The bases of a configuration must not form a circle. Received: {circle}.")
    if above and not path.is_file():
        raise InputError(f"There is no configuration {str(path)!r}, which is the base of {str(above[-1])!r}.")
    tree = read_yaml(path, "configuration")
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise InputError(f"The base of {str(path)!r} must be the path of a configuration. Received: base={base!r}.")
    return _laid_over(read_with_bases(path.parent / base, (*above, here)), tree)


def _laid_over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lays mappings over each other; what is empty, or a component of another name, takes the whole place."""
    laid = dict(base)
    for key, value in changes.items():
        under = laid.get(key)
        if value and isinstance(value, Mapping) and isinstance(under, Mapping) and not _another(under, value):
            value = _laid_over(under, value)
        laid[key] = value
    return laid


def _another(base: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether two mappings are components of different names."""
    return "name" in changes and changes["name"] != base.get("name")


def read_yaml(path: str | Path, what: str) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping.

    Nothing in it refers to anything else: not to environment variables or other keys
    (`${...}`), which would carry a secret into a run's saved configuration, and by
    anchors only within reason.

    Args:
        path: str or Path.
        what: str. How error messages name it: "configuration".

    Returns:
        dict of plain mappings, lists and values; empty where the file is.

    Raises:
        InputError: the file is missing, cannot be read, is not a YAML mapping, or
            refers to something.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no {what} file {str(path)!r}.")
    try:
        text = Path(path).read_text(encoding="utf-8")
        root = _checked(text, f"The {what} {str(path)!r}")
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            kind = "list" if isinstance(root, yaml.SequenceNode) else f"single value, {root.value[:50]!r}"
            raise InputError(f"A {what} must be a mapping of keys to values. Received: {str(path)!r}, a {kind}.")
        tree: dict[str, Any] = _plain(OmegaConf.create(text))
    except InputError:
        raise
    except (*_NOT_YAML, OSError) as error:
        raise InputError(f"{str(path)!r} is not a YAML file: {one_line(error)}.") from None
    return tree


def read_value(text: str, what: str) -> Any:
    """Reads the YAML of a single value, such as a command line has.

    Args:
        text: str.
        what: str. How error messages name it, as they begin.

    Returns:
        Its plain mappings, lists and values.

    Raises:
        InputError: it is not YAML, or refers to something, see `read_yaml`.
    """
    try:
        _checked(text, what)
        return _plain(OmegaConf.from_dotlist([f"value={text}"]))["value"]
    except InputError:
        raise
    except _NOT_YAML as error:
        raise InputError(f"{what} cannot be read: {one_line(error)}.") from None


def _plain(config: Any) -> Any:
    return OmegaConf.to_container(config)


def _checked(text: str, what: str) -> yaml.Node | None:
    """Returns the root of a YAML text, None of an empty one, before anything is made of it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None:
        _count_values(root, what, {})
    return root


def _count_values(node: yaml.Node, what: str, counted: dict[int, int | None]) -> int:
    """How many values a node stands for; one that refers to something is an `InputError`."""
    if id(node) in counted:
        known = counted[id(node)]
        if known is None:
            raise InputError(f"{what} holds itself, in line {node.start_mark.line + 1}.")
        return known
    counted[id(node)] = None
    if isinstance(node, yaml.ScalarNode):
        if "${" in node.value:
            raise InputError(
                f"{what} must not refer to environment variables or other keys with ${{...}}. Received: "
                f"{node.value!r} in line {node.start_mark.line + 1}."
            )
        parts = []
    else:
        parts = [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    number = 1 + sum(_count_values(part, what, counted) for part in parts)
    if number > _MOST_VALUES:
        raise InputError(f"{what} must hold at most {_MOST_VALUES:,} values. Received: {number:,} or more.")
    counted[id(node)] = number
    return number


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Changes a configuration in place.

    Args:
        tree: dict, as `read_with_bases` gives it.
        override: str. "key.path=value", see `config.load_config`.

    Raises:
        InputError: the path leads nowhere, or the value is not YAML.
    """
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise InputError(f"An override is written key.path=value. Received: {override!r}.")
    value = read_value(text, f"The value of the override {override!r}")
    *parents, last = path.strip().split(".")
    node: Any = tree
    for part in parents:
        node = _child(node, part, override)
    if isinstance(node, list):
        node[_position(node, last, override)] = value
        return
    if last == "name" and node.get("name") not in (None, value):
        node.clear()
    node[last] = value


def _child(node: Any, part: str, override: str) -> Any:
    if isinstance(node, list):
        return node[_position(node, part, override)]
    if node.get(part) is None:
        node[part] = {}
    if not isinstance(node[part], dict | list):
        raise InputError(f"The override {override!r} looks inside {part!r}, which is the plain value {node[part]!r}.")
    return node[part]


def _position(components: list[Any], part: str, override: str) -> int:
    """The index that a path's part names in a list: a number, or the name of a component."""
    names = [component.get("name") if isinstance(component, dict) else None for component in components]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(components):
        return int(part)
    raise InputError(unknown(f"list entry in the override {override!r}", part, filter(None, names)))
