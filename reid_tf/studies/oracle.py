"""What KerasTuner is told of a search, and what its answers mean."""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

import keras_tuner as kt
import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import unknown
from reid_tf.studies.ranges import Range
from reid_tf.studies.trial import OBJECTIVE

Method = Literal["random", "bayesian", "hyperband"]
METHODS = ("random", "bayesian", "hyperband")

_FACTOR = 3  # Hyperband's: each rung has a third of the trials, of three times the epochs


class _Bayesian(kt.oracles.BayesianOptimizationOracle):
    """KerasTuner's, whose proposals depend on the seed and the trials before alone.

    KerasTuner does not save the state of this generator and reloads trials in any
    order: a search that goes on would not be the one that was never interrupted.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of the next trial."""
        self.trials: dict[str, Any] = dict(sorted(self.trials.items(), key=lambda item: int(item[0])))
        self._random_state = np.random.RandomState([self.seed, len(self.trials)])
        return super().populate_space(trial_id)


def make_oracle(method: str, ranges: Mapping[str, Range], seed: int, epochs: int, trials: int) -> kt.Oracle:
    """Returns KerasTuner's part of a search: what proposes the next trial's values.

    Args:
        method: str. "random", "bayesian" or "hyperband".
        ranges: mapping from the path of an option to its `Range`.
        seed: int >= 0. The same one proposes the same values for the same figures.
        epochs: int. Of the longest trials of "hyperband".
        trials: int. After so many there are no further ones. "hyperband" begins anew
            until then.

    Returns:
        kt.Oracle. Its own end after failed trials in a row is out of reach: it would
        come before the last failure is saved, and again at every later trial.

    Raises:
        InputError: the method is unknown, or "hyperband" has too few epochs for two
            rungs.
    """
    space = kt.HyperParameters()
    for option, one in ranges.items():
        choices = one.choices()
        if choices is not None:  # as text: KerasTuner takes neither lists, nor null, nor values of several types
            space.Choice(option, [json.dumps(value) for value in choices])
        else:
            draw = space.Int if one.whole else space.Float
            draw(option, one.min, one.max, sampling=one.sampling)
    options = {
        "objective": kt.Objective(OBJECTIVE, "max"),
        "hyperparameters": space,
        "seed": _far_apart(seed),
        "max_consecutive_failed_trials": trials + 1,
    }
    if method == "random":
        return kt.oracles.RandomSearchOracle(max_trials=trials, **options)
    if method == "bayesian":
        return _Bayesian(max_trials=trials, **options)
    rung_epochs(method, epochs)
    oracle = kt.oracles.HyperbandOracle(max_epochs=epochs, factor=_FACTOR, hyperband_iterations=math.inf, **options)
    oracle.max_trials = trials
    return oracle


def _far_apart(seed: int) -> int:
    """Another seed for KerasTuner, which counts its own up with every value: 2 would draw what 1 draws, one later.

    It is never 0, which KerasTuner takes for any.
    """
    return 1 + int(np.random.SeedSequence(seed).generate_state(1)[0]) // 2


def rung_epochs(method: str, epochs: int) -> tuple[int, ...]:
    """Returns the different lengths of a method's trials: one, but of "hyperband" one for each rung.

    Args:
        method: str. As in `make_oracle()`.
        epochs: int. The configuration's.

    Returns:
        tuple of int, ascending.

    Raises:
        InputError: as `make_oracle()`.
    """
    if method not in METHODS:
        raise InputError(unknown("method of a search", method, METHODS))
    if method != "hyperband":
        return (epochs,)
    if epochs < _FACTOR:
        raise InputError(f"Hyperband needs at least {_FACTOR} epochs, for two rungs. Received: epochs={epochs}.")
    rungs = range(math.floor(math.log(epochs, _FACTOR) + 1e-9), -1, -1)
    return tuple(math.ceil(epochs / _FACTOR**rung) for rung in rungs)


def option_values(drawn: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Returns the value of each option, those of `also` included, that KerasTuner's values stand for.

    Args:
        drawn: mapping. `trial.hyperparameters.values`.
        ranges: as in `make_oracle()`.

    Returns:
        dict from the path of an option to its value.
    """
    values: dict[str, Any] = {}
    for option, one in ranges.items():
        value = drawn[option]
        value = one.rounded(value) if one.choices() is None else json.loads(value)
        values |= dict.fromkeys((option, *one.also), value)
    return values
