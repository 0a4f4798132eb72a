"""Optimizers with a slower rate for pre-trained variables, a choice of weight decay, and averages of the weights.

The first two are applied where the update is made, not to the gradient: Adam divides a gradient by its own running
size, so a scaled gradient changes nothing there. Biases and normalisation parameters (all below two dimensions) never
decay. What the averages are for stands in `averaging.py`.
"""

from collections.abc import Callable, Collection
from typing import Any, Literal

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from reid_tf.errors import InputError
from reid_tf.registry import OPTIMIZERS

Decay = Literal["coupled", "decoupled"]
MakeSchedule = Callable[[float], LearningRateSchedule]


class _PerVariable:
    """Mixed into a Keras optimizer: each variable has its own share of the rate and its own weight decay.

    With w a variable, g its gradient, r the rate times the variable's share and d its decay:
    coupled (classic L2): the optimizer gets g + d w, which enters the momentum;
    decoupled (AdamW): the optimizer gets g, and r d w is subtracted from w beside it.

    Where averages are wanted (Keras' `use_ema`), each begins as its variable and then follows every update of that
    variable, a = m a + (1 - m) w. A step may update some of the variables only. In step t, m is `ema_momentum`, but
    (1 + t) / (10 + t) at the most: otherwise a short training would keep much of the weights that it began with.
    """

    use_ema: bool
    ema_momentum: float
    _trainable_variables: list[Any]
    _model_variables_moving_average: list[Any]

    def configure(self, pretrained: Collection[Any], pretrained_rate: float, decay: float, kind: Decay) -> Any:
        """Sets the shares and the decay; returns the optimizer itself."""
        for name, value in (("pretrained_rate", pretrained_rate), ("weight_decay", decay)):
            if value < 0:
                raise InputError(f"{name} must not be negative. Received: {value}.")
        self._slow = {id(variable) for variable in pretrained}
        self._slow_share, self._decay, self._coupled = pretrained_rate, decay, kind == "coupled"
        return self

    def build(self, variables: list[Any]) -> None:
        super().build(variables)  # type: ignore[misc]
        self._shares = [self._slow_share if id(variable) in self._slow else 1.0 for variable in variables]
        self._decays = [self._decay if len(variable.shape) > 1 else 0.0 for variable in variables]
        if self.use_ema:
            for average, variable in zip(self._model_variables_moving_average, variables, strict=True):
                average.assign(variable)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)  # type: ignore[attr-defined]
        decay = self._decays[index]
        learning_rate = learning_rate * self._shares[index]
        if decay and self._coupled:
            gradient = gradient + ops.cast(decay, gradient.dtype) * ops.cast(variable, gradient.dtype)
        elif decay:
            self.assign_sub(variable, ops.cast(learning_rate * decay, variable.dtype) * variable)  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]
        if self.use_ema:
            average = self._model_variables_moving_average[index]
            weight = ops.convert_to_tensor(variable)
            constraint = self._trainable_variables[index].constraint
            if constraint is not None:  # Keras applies it behind all updates
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


class _LateAdam(keras.optimizers.Adam):
    """Adam for variables of which some take their first step later than others.

    Adam's two means begin at 0, which it corrects by the number of steps. Keras has one number for all variables: of
    those whose first gradient comes after a thousand steps nothing would be corrected any more, and for about a hundred
    steps they would move several times too far (6.5 times at the most, with the usual betas).
    """

    def begin_late(self, variables: Collection[Any], steps: int) -> None:
        """Says which variables the first `steps` steps leave out."""
        self._late, self._late_steps = {id(variable) for variable in variables}, steps

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        self._begins_late = [id(variable) in self._late for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if self._begins_late[self._get_variable_index(variable)]:
            steps = ops.cast(self.iterations + 1, "float32")
            # At least 1: under float16 the optimizer leaves out steps whose gradients overflow, and counts less.
            own_steps = ops.maximum(steps - self._late_steps, 1.0)
            learning_rate = learning_rate * self._correction(own_steps) / self._correction(steps)
        super().update_step(gradient, variable, learning_rate)

    def _correction(self, steps: Any) -> Any:
        return ops.sqrt(1.0 - ops.power(self.beta_2, steps)) / (1.0 - ops.power(self.beta_1, steps))


class ScaledSGD(_PerVariable, keras.optimizers.SGD):
    """SGD with a rate and a decay for each variable."""


class ScaledAdam(_PerVariable, _LateAdam):
    """Adam with a rate and a decay for each variable."""


@OPTIMIZERS.register("sgd")
def sgd(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    *,
    learning_rate: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 5e-4,
    decay: Decay = "coupled",
    pretrained_rate: float = 0.1,
    gradient_clip: float | None = None,
    ema_momentum: float | None = None,
) -> keras.optimizers.Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        make_schedule: function from the base rate to a LearningRateSchedule.
        pretrained: variables that come from a weights file.
        learning_rate: float. The base rate.
        momentum: float in [0, 1). The papers name none; 0.9 is the field's.
        nesterov: bool.
        weight_decay: float >= 0. 5e-4 is the field's.
        decay: str. "coupled" adds decay x weight to the gradient, as the papers' frameworks do; "decoupled" takes it
            from the weight directly, about 1 / (1 - momentum) times weaker.
        pretrained_rate: float >= 0. Share of the rate for pre-trained variables, 0.1 as in fine-tuning practice.
        gradient_clip: float or None. Greatest global norm of the gradients.
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and kept is a moving average of the
            weights over about 1 / (1 - ema_momentum) steps, of fewer at the start; 0.999 is usual.

    Returns:
        keras Optimizer.

    Raises:
        InputError: a rate or the decay is negative, or `ema_momentum` is out of range.
    """
    optimizer = ScaledSGD(
        _rate(make_schedule, learning_rate), momentum, nesterov, global_clipnorm=gradient_clip, **_average(ema_momentum)
    )
    return optimizer.configure(pretrained, pretrained_rate, weight_decay, decay)


@OPTIMIZERS.register("adam")
def adam(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    frozen: Collection[Any] = (),
    frozen_steps: int = 0,
    *,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    weight_decay: float = 0.0,
    decay: Decay = "coupled",
    pretrained_rate: float = 0.1,
    gradient_clip: float | None = None,
    ema_momentum: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam (Kingma and Ba, 2015).

    Args:
        make_schedule: function from the base rate to a LearningRateSchedule.
        pretrained: variables that come from a weights file.
        frozen: variables that the first steps leave as they are.
        frozen_steps: int. Number of these steps.
        learning_rate: float. The base rate.
        beta_1: float in [0, 1). Decay of the gradient's mean.
        beta_2: float in [0, 1). Decay of the gradient's square.
        weight_decay: float >= 0.
        decay: str. "coupled" (L2 in the gradient, rescaled by Adam as all of it is) or "decoupled" (AdamW).
        pretrained_rate: float >= 0. Share of the rate for pre-trained variables.
        gradient_clip: float or None. Greatest global norm of the gradients.
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and kept is a moving average of the
            weights over about 1 / (1 - ema_momentum) steps, of fewer at the start; 0.999 is usual.

    Returns:
        keras Optimizer.

    Raises:
        InputError: a rate or the decay is negative, or `ema_momentum` is out of range.
    """
    optimizer = ScaledAdam(
        _rate(make_schedule, learning_rate),
        beta_1,
        beta_2,
        global_clipnorm=gradient_clip,
        **_average(ema_momentum),
    )
    optimizer.begin_late(frozen, frozen_steps)
    return optimizer.configure(pretrained, pretrained_rate, weight_decay, decay)


@OPTIMIZERS.register("adamw")
def adamw(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    frozen: Collection[Any] = (),
    frozen_steps: int = 0,
    *,
    learning_rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    weight_decay: float = 5e-4,
    pretrained_rate: float = 0.1,
    gradient_clip: float | None = None,
    ema_momentum: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Args:
        make_schedule: function from the base rate to a LearningRateSchedule.
        pretrained: variables that come from a weights file.
        frozen: variables that the first steps leave as they are.
        frozen_steps: int. Number of these steps.
        learning_rate: float. The base rate.
        beta_1: float in [0, 1).
        beta_2: float in [0, 1).
        weight_decay: float >= 0.
        pretrained_rate: float >= 0. Share of the rate for pre-trained variables.
        gradient_clip: float or None. Greatest global norm of the gradients.
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and kept is a moving average of the
            weights over about 1 / (1 - ema_momentum) steps, of fewer at the start; 0.999 is usual.

    Returns:
        keras Optimizer.

    Raises:
        InputError: a rate or the decay is negative, or `ema_momentum` is out of range.
    """
    return adam(
        make_schedule,
        pretrained,
        frozen,
        frozen_steps,
        learning_rate=learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        weight_decay=weight_decay,
        decay="decoupled",
        pretrained_rate=pretrained_rate,
        gradient_clip=gradient_clip,
        ema_momentum=ema_momentum,
    )


def _rate(make_schedule: MakeSchedule, learning_rate: float) -> LearningRateSchedule:
    if learning_rate < 0:
        raise InputError(f"learning_rate must not be negative. Received: {learning_rate}.")
    return make_schedule(learning_rate)


def _average(ema_momentum: float | None) -> dict[str, Any]:
    """Keras' arguments for averages of the weights."""
    if ema_momentum is None:
        return {}
    if not 0.0 < ema_momentum < 1.0:
        raise InputError(f"ema_momentum must be above 0 and below 1, or null. Received: ema_momentum={ema_momentum}.")
    return {"use_ema": True, "ema_momentum": ema_momentum}
