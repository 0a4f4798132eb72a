"""Optimizers with a slower rate for pre-trained variables, a choice of weight decay, and averages of the weights.

The first two are applied where the update is made, not to the gradient: Adam divides a
gradient by its own running size, so a scaled gradient changes nothing there. Biases and
normalisation parameters (all below two dimensions) never decay. `averaging.py` says
what the averages are for.
"""

from collections.abc import Collection
from typing import Any, Literal, get_args

import keras
from keras import ops

from reid_tf.errors import InputError

Decay = Literal["coupled", "decoupled"]


class _PerVariable:
    """Mixed into a Keras optimizer: each variable has its own share of the rate and its own weight decay.

    With w a variable, g its gradient, r the rate times the variable's share and d its
    decay:
    coupled (classic L2): the optimizer gets g + d w, which enters the momentum;
    decoupled (AdamW): the optimizer gets g, and r d w is subtracted from w beside it.

    Where averages are wanted (Keras' `use_ema`), each begins as its variable and then
    follows every update of that variable, a = m a + (1 - m) w. A step may update some
    of the variables only. In step t, m is `ema_momentum`, but at most (1 + t) / (10 +
    t): otherwise a short training would keep much of the weights that it began with.
    """

    use_ema: bool
    ema_momentum: float
    _trainable_variables: list[Any]
    _model_variables_moving_average: list[Any]

    def _set_shares(self, slow: Collection[str], slow_rate: float, decay: float, decay_kind: Decay) -> None:
        """Keeps what `__init__` got, checked."""
        for name, value in (("slow_rate", slow_rate), ("decay", decay)):
            if not value >= 0:
                raise InputError(f"{name} must not be negative. Received: {name}={value}.")
        if decay_kind not in get_args(Decay):
            allowed = ", ".join(get_args(Decay))
            raise InputError(f"decay_kind must be one of {allowed}. Received: decay_kind={decay_kind!r}.")
        self.slow, self.slow_rate, self.decay, self.decay_kind = tuple(slow), slow_rate, decay, decay_kind

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"slow": list(self.slow), "slow_rate": self.slow_rate}
        return {**super().get_config(), **own, "decay": self.decay, "decay_kind": self.decay_kind}  # type: ignore[misc]

    def build(self, variables: list[Any]) -> None:
        super().build(variables)  # type: ignore[misc]
        slow = set(self.slow)
        self._shares = [self.slow_rate if variable.path in slow else 1.0 for variable in variables]
        self._decays = [self.decay if len(variable.shape) > 1 else 0.0 for variable in variables]
        if self.use_ema:
            for average, variable in zip(self._model_variables_moving_average, variables, strict=True):
                average.assign(variable)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        decay = self._decays[index]
        learning_rate = learning_rate * self._shares[index]
        if decay and self.decay_kind == "coupled":
            gradient = gradient + ops.cast(decay, gradient.dtype) * ops.cast(variable, gradient.dtype)
        elif decay:
            self.assign_sub(variable, ops.cast(learning_rate * decay, variable.dtype) * variable)  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
        if self.use_ema:
            average = self._model_variables_moving_average[index]
            weight = ops.convert_to_tensor(variable)
            constraint = self._trainable_variables[index].constraint
            if constraint is not None:  # Keras applies it after all updates
                weight = constraint(weight)
            step = ops.cast(self.iterations + 1, "float32")  # type: ignore[attr-defined]
            momentum = ops.minimum(self.ema_momentum, (1.0 + step) / (10.0 + step))
            way = (weight - ops.convert_to_tensor(average)) * ops.cast(1.0 - momentum, weight.dtype)
            self.assign_add(average, way)  # type: ignore[attr-defined]

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        """Nothing is left to do: Keras pairs variables and averages by position, whichever of them a step updates."""

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        # Keras hands over what is trainable just now and pairs it with the averages by position.
        super().finalize_variable_values(self._trainable_variables)  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="reid_tf")
class ScaledSGD(_PerVariable, keras.optimizers.SGD):
    """SGD with a rate and a decay for each variable.

    Args:
        learning_rate: float, or LearningRateSchedule.
        momentum: float in [0, 1].
        nesterov: bool.
        slow: strs. Paths (`variable.path`) of the variables that learn at a share of
            the rate.
        slow_rate: float >= 0. That share.
        decay: float >= 0. Weight decay of all variables with two dimensions or more.
        decay_kind: "coupled" or "decoupled".
        **options: those that every Keras optimizer has: `global_clipnorm`, `use_ema`,
            ...

    Raises:
        InputError: the share or the decay is negative, or there is no such kind of
            decay.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *,
        slow: Collection[str] = (),
        slow_rate: float = 1.0,
        decay: float = 0.0,
        decay_kind: Decay = "coupled",
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, momentum, nesterov, **options)
        self._set_shares(slow, slow_rate, decay, decay_kind)


@keras.saving.register_keras_serializable(package="reid_tf")
class ScaledAdam(_PerVariable, keras.optimizers.Adam):
    """Adam with a rate and a decay for each variable, some of which may take their first step later than others.

    Adam's two means begin at 0, which it corrects by the number of steps. Keras has one
    number for all variables: of those whose first gradient comes after a thousand steps
    nothing would be corrected any more, and for about a hundred steps they would move
    several times too far (at most 6.5 times, with the usual betas).

    Args:
        learning_rate: float, or LearningRateSchedule.
        beta_1: float in [0, 1).
        beta_2: float in [0, 1).
        slow: strs. Paths (`variable.path`) of the variables that learn at a share of
            the rate.
        slow_rate: float >= 0. That share.
        decay: float >= 0. Weight decay of all variables with two dimensions or more.
        decay_kind: "coupled" or "decoupled".
        late: strs. Paths of the variables that the first steps leave out.
        late_steps: int. Number of these steps.
        **options: those that every Keras optimizer has: `epsilon`, `global_clipnorm`,
            `use_ema`, ...

    Raises:
        InputError: the share or the decay is negative, or there is no such kind of
            decay.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        *,
        slow: Collection[str] = (),
        slow_rate: float = 1.0,
        decay: float = 0.0,
        decay_kind: Decay = "coupled",
        late: Collection[str] = (),
        late_steps: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, **options)
        self._set_shares(slow, slow_rate, decay, decay_kind)
        self.late, self.late_steps = tuple(late), late_steps

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "late": list(self.late), "late_steps": self.late_steps}

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        late = set(self.late)
        self._begins_late = [variable.path in late for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self._begins_late[self._get_variable_index(variable)]:
            steps = ops.cast(self.iterations + 1, "float32")
            # At least 1: under float16 the optimizer leaves out steps whose gradients overflow, and counts fewer.
            own_steps = ops.maximum(steps - self.late_steps, 1.0)
            learning_rate = learning_rate * self._correction(own_steps) / self._correction(steps)
        super().update_step(gradient, variable, learning_rate)

    def _correction(self, steps: Any) -> Any:
        return ops.sqrt(1.0 - ops.power(self.beta_2, steps)) / (1.0 - ops.power(self.beta_1, steps))
