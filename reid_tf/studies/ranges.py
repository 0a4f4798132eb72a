"""A search for good option values as one typed object, read from YAML."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from reid_tf.config import check_keys
from reid_tf.config_file import read_yaml
from reid_tf.errors import InputError
from reid_tf.options import convert

_DIGITS = 6  # more of a value say nothing to a training, and make tables and files hard to read


@dataclasses.dataclass(frozen=True)
class Range:
    """Where the values of an option are searched: between two numbers, or in a list.

    Where all numbers given are whole (`1`, not `1.0`), only whole values are drawn.

    Args:
        min: number or None. The smallest value.
        max: number or None. The largest value.
        sampling: str. "linear", or "log" for values whose ratio counts, such as
            learning rates.
        step: number or None. From one value to the next, beginning with `min`; with
            "log", what it is multiplied by.
        values: tuple or None. The values to choose from, instead of all that.
        also: paths of further options that always take the same value.
    """

    min: int | float | None = None
    max: int | float | None = None
    sampling: Literal["linear", "log"] = "linear"
    step: int | float | None = None
    values: tuple[Any, ...] | None = None
    also: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Returns whether all numbers given are whole."""
        return all(isinstance(number, int) for number in (self.min, self.max, self.step) if number is not None)

    def choices(self) -> tuple[Any, ...] | None:
        """Returns the values of a list or of a range with a step, or None where any number between the ends will do."""
        if self.values is not None:
            return self.values
        if self.step is None or self.min is None or self.max is None:
            return None
        if self.sampling == "log":
            count = math.floor(math.log(self.max / self.min, self.step) + 1e-9)
            return tuple(self.rounded(self.min * self.step**place) for place in range(count + 1))
        count = math.floor((self.max - self.min) / self.step + 1e-9)  # 0 to 1 by 0.1 ends at 1
        return tuple(self.rounded(self.min + place * self.step) for place in range(count + 1))

    def ends(self) -> tuple[Any, ...]:
        """Returns the values to try a configuration with: those of a list, or the smallest and the largest."""
        return self.values if self.values is not None else (self.min, self.max)

    def rounded(self, value: float) -> int | float:
        """Returns a drawn number as it is used: within the ends, whole or with six digits."""
        value = int(value) if self.whole else float(f"{value:.{_DIGITS}g}")
        low, high = (value if end is None else end for end in (self.min, self.max))
        return min(max(value, low), high)


@dataclasses.dataclass(frozen=True)
class TuningConfig:
    """One configuration, and the options whose values are searched.

    Args:
        config: str. The experiment file, relative to the folder of the tuning file.
        ranges: mapping from the path of an option, as `--set` takes it, to its `Range`.
        set: "key.path=value" strings. Further overrides, the same for all trials.
    """

    config: str
    ranges: dict[str, Range]
    set: tuple[str, ...] = ()


def load_tuning(path: str | Path) -> TuningConfig:
    """Reads a tuning file and checks it; option paths are checked with the configuration, by `plan_search()`.

    Args:
        path: str or Path. A YAML file with the fields of `TuningConfig`.

    Returns:
        The checked `TuningConfig`, its `config` a path that can be opened from here.

    Raises:
        InputError: the file is missing or not a YAML mapping, or a key, range or value
            is wrong.
    """
    tuning = parse_tuning(read_yaml(path, "tuning"))
    return dataclasses.replace(tuning, config=str(Path(path).parent / tuning.config))


def parse_tuning(tree: Any) -> TuningConfig:
    """Turns plain mappings and lists into a checked `TuningConfig`.

    Args:
        tree: mapping with the fields of `TuningConfig`.

    Returns:
        The checked `TuningConfig`.

    Raises:
        InputError: as `load_tuning()`.
    """
    check_keys(tree, TuningConfig, "a tuning file")
    if isinstance(tree["ranges"], Mapping):
        for option, one in tree["ranges"].items():
            check_keys(one, Range, f"the range of {option!r}")
    tuning: TuningConfig = convert(dict(tree), TuningConfig, "The tuning file")
    check_ranges(tuning.ranges)
    return tuning


def check_ranges(ranges: Mapping[str, Range]) -> None:
    """Raises an `InputError` where no option has a range, one has two, or a range holds no choice."""
    if not ranges:
        raise InputError(f"A search needs the range of at least one option. Received: ranges={dict(ranges)!r}.")
    options = [path for option, one in ranges.items() for path in (option, *one.also)]
    for path in options:
        if options.count(path) > 1:
            raise InputError(f"Each option must have only one range. Received: {path!r} {options.count(path)} times.")
        if path.split(".")[0] in ("dataset", "evaluation"):
            raise InputError(f"Trials that are judged differently cannot be compared. Received: a range of {path!r}.")
    for option, one in ranges.items():
        _check_values(option, one) if one.values is not None else _check_numbers(option, one)


def _check_values(option: str, one: Range) -> None:
    if (one.min, one.max, one.step, one.sampling) != (None, None, None, "linear"):
        raise InputError(f"The range of {option!r} must have either values or min and max. Received: {_given(one)}.")
    texts = {json.dumps(value) for value in one.values or ()}
    if not one.values or len(texts) < len(one.values):
        raise InputError(f"The range of {option!r} needs distinct values. Received: values={list(one.values or ())}.")


def _check_numbers(option: str, one: Range) -> None:
    low, high, step = one.min, one.max, one.step
    if low is None or high is None:
        raise InputError(f"The range of {option!r} needs min and max, or values. Received: {_given(one)}.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"The min of the range of {option!r} must be below its max. Received: min={low}, max={high}.")
    if one.sampling == "log" and low <= 0:
        raise InputError(f"The range of {option!r} needs a min above 0 for log sampling. Received: min={low}.")
    least = 1 if one.sampling == "log" else 0
    if step is not None and not least < step < math.inf:
        raise InputError(f"The step of the range of {option!r} must be above {least}. Received: step={step}.")


def _given(one: Range) -> str:
    given = {key: value for key, value in dataclasses.asdict(one).items() if value not in (None, ())}
    return ", ".join(f"{key}={value}" for key, value in given.items())
