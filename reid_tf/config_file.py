"""Configuration files: YAML mappings laid over their bases, and overrides of single values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import omegaconf
import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf

from reid_tf.errors import InputError
from reid_tf.options import unknown


def read_with_bases(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Reads a configuration laid over its base, that over its own base, and so on.

    Args:
        path: Path. A YAML file, perhaps with the key `base`.
        above: tuple of Path. The files that led here.

    Returns:
        dict without the key `base`, its interpolations not resolved yet.

    Raises:
        InputError: a file is missing or not a YAML mapping, or the bases form a circle.
    """
    here = path.resolve()
    if here in above:
        circle = " -> ".join(repr(str(file)) for file in (*above[above.index(here) :], here))
        raise InputError(f"The bases of a configuration must not form a circle. Received: {circle}.")
    if above and not path.is_file():
        raise InputError(f"There is no configuration {str(path)!r}, which is the base of {str(above[-1])!r}.")
    tree = cast(dict[str, Any], OmegaConf.to_container(read_yaml(path, "configuration")))
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


def read_yaml(path: str | Path, what: str) -> DictConfig:
    """Reads a YAML file that holds a mapping.

    Args:
        path: str or Path.
        what: str. How error messages name it: "configuration".

    Returns:
        The mapping, its values not resolved yet.

    Raises:
        InputError: the file is missing or not a YAML mapping.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no {what} file {str(path)!r}.")
    try:
        tree = OmegaConf.load(path)
    except (yaml.YAMLError, omegaconf.errors.OmegaConfBaseException, UnicodeDecodeError) as error:
        raise InputError(f"{str(path)!r} is not a YAML file: {' '.join(str(error).split())}.") from None
    if not isinstance(tree, DictConfig):
        raise InputError(
            f"A {what} must be a mapping of keys to values. Received: {str(path)!r}, a {type(tree).__name__}."
        )
    return tree


def apply_override(tree: DictConfig, override: str) -> None:
    """Changes a configuration in place.

    Args:
        tree: DictConfig.
        override: str. "key.path=value", see `config.load_config`.

    Raises:
        InputError: the path leads nowhere, or the value is not YAML.
    """
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise InputError(f"An override is written key.path=value. Received: {override!r}.")
    try:
        value = OmegaConf.from_dotlist([f"value={text}"]).value
    except (yaml.YAMLError, omegaconf.errors.OmegaConfBaseException) as error:
        raise InputError(
            f"The value of the override {override!r} cannot be read: {' '.join(str(error).split())}."
        ) from None
    *parents, last = path.strip().split(".")
    node: Any = tree
    for part in parents:
        node = _child(node, part, override)
    if isinstance(node, ListConfig):
        node[_position(node, last, override)] = value
        return
    if last == "name" and node.get("name") not in (None, value):
        for option in list(node):
            del node[option]
    node[last] = value


def _child(node: Any, part: str, override: str) -> Any:
    if isinstance(node, ListConfig):
        return node[_position(node, part, override)]
    if part not in node or node[part] is None:
        node[part] = {}
    if not isinstance(node[part], DictConfig | ListConfig):
        raise InputError(f"The override {override!r} looks inside {part!r}, which is the plain value {node[part]!r}.")
    return node[part]


def _position(components: ListConfig, part: str, override: str) -> int:
    """The index that a path's part names in a list: a number, or the name of a component."""
    names = [component.get("name") if isinstance(component, DictConfig) else None for component in components]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(components):
        return int(part)
    raise InputError(unknown(f"list entry in the override {override!r}", part, filter(None, names)))
