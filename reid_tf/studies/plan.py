"""What a search for good option values looks at, checked before anything is trained."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.report.option_values import spans_decades
from reid_tf.studies.oracle import option_values, rung_epochs
from reid_tf.studies.ranges import Range, check_ranges
from reid_tf.studies.runs import overrides
from reid_tf.studies.trial import check_validation


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched and how.

    Args:
        ranges: mapping from the path of an option to its `Range`.
        method: str. "random", "bayesian" or "hyperband".
        base: `ExperimentConfig` whose options are searched.
        load: function of further overrides ("key.path=value" strings) that returns the
            checked configuration.
    """

    ranges: Mapping[str, Range]
    method: str
    base: ExperimentConfig
    load: Callable[[Sequence[str]], ExperimentConfig]

    def values_of(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a trial, its rung's epochs among them, for which KerasTuner has drawn values."""
        length = {"epochs": drawn["tuner/epochs"]} if "tuner/epochs" in drawn else {}
        return {**option_values(drawn, self.ranges), **length}

    def config_of(self, drawn: Mapping[str, Any]) -> ExperimentConfig:
        """Returns the configuration of a trial."""
        return self.load(overrides(self.values_of(drawn)))

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a trial's value of each range; options that share one are one entry."""
        return {_label(option, one): values[option] for option, one in self.ranges.items()}

    def logarithmic(self) -> list[str]:
        """Returns the entries of `shown()` whose values are on a logarithmic axis."""
        return [_label(option, one) for option, one in self.ranges.items() if _is_logarithmic(one)]

    def describe(self) -> dict[str, Any]:
        """Returns what makes a search the same one, as JSON values; the number of trials does not."""
        ranges = {f"ranges.{option}": dataclasses.asdict(one) for option, one in self.ranges.items()}
        described: dict[str, Any] = json.loads(json.dumps({"method": self.method, **ranges, **self.base.to_dict()}))
        return described


def plan_search(
    ranges: Mapping[str, Range], load: Callable[[Sequence[str]], ExperimentConfig], method: str = "random"
) -> Search:
    """Checks a search: its ranges, its method, and configurations at the ends of every range.

    Args:
        ranges: mapping from the path of an option, as `load_config()` takes it, to its
            `Range`.
        load: as in `Search`.
        method: str. "random"; "bayesian", which learns from the trials before after
            three for each option; or "hyperband", which tries many values for a few
            epochs and goes on with the best third, for three times as many, up to the
            configuration's. Each of its trials is a whole training with its own
            schedule, warm-up
            included: a rate that falls with the last epoch falls in a short trial too.

    Returns:
        `Search`.

    Raises:
        InputError: a range, the method or a configuration is wrong, an option does not
            exist, or trials would not be validated on identities held out of the
            training images.
    """
    check_ranges(ranges)
    base = load([])
    check_validation(base)
    lengths = rung_epochs(method, base.epochs)
    if method == "hyperband" and any("epochs" in (option, *one.also) for option, one in ranges.items()):
        raise InputError(f"Hyperband itself chooses the epochs. Received: ranges of {', '.join(ranges)}.")
    for option, one in ranges.items():
        for value in one.ends():
            load(overrides(dict.fromkeys((option, *one.also), value)))
    for epochs in lengths:
        load(overrides({"epochs": epochs}))
    return Search(ranges, method, base, load)


def _label(option: str, one: Range) -> str:
    return ", ".join((option, *one.also))


def _is_logarithmic(one: Range) -> bool:
    return one.sampling == "log" or (one.values is not None and spans_decades(one.values))
