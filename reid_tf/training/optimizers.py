"""The optimizers that a configuration names."""

from collections.abc import Callable, Collection
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from reid_tf.errors import InputError
from reid_tf.options import Positive
from reid_tf.registry import OPTIMIZERS
from reid_tf.training.scaled_optimizers import Decay, ScaledAdam, ScaledSGD

MakeSchedule = Callable[[float], LearningRateSchedule]


@OPTIMIZERS.register("sgd")
def sgd(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    *,
    learning_rate: Positive,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 5e-4,
    decay: Decay = "coupled",
    pretrained_rate: float = 1.0,
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
        decay: str. "coupled" adds decay x weight to the gradient, as the papers'
            frameworks do; "decoupled" takes it from the weight directly, about 1 / (1 -
            momentum) times weaker.
        pretrained_rate: float >= 0. Share of the rate for pre-trained variables. 1, as
            in the papers, which name one rate; 0.1 is usual in fine-tuning.
        gradient_clip: float or None. Greatest global norm of the gradients.
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and
            kept is a moving average of the weights over about 1 / (1 - ema_momentum)
            steps, of fewer at the start; 0.999 is usual.

    Returns:
        keras Optimizer.

    Raises:
        InputError: a rate or the decay is negative, or `ema_momentum` is out of range.
    """
    return ScaledSGD(
        _rate(make_schedule, learning_rate),
        momentum,
        nesterov,
        **_shares(pretrained, pretrained_rate, weight_decay, decay),
        global_clipnorm=gradient_clip,
        **_average(ema_momentum),
    )


@OPTIMIZERS.register("adam")
def adam(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    frozen: Collection[Any] = (),
    frozen_steps: int = 0,
    *,
    learning_rate: Positive,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    weight_decay: float = 0.0,
    decay: Decay = "coupled",
    pretrained_rate: float = 1.0,
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
        decay: str. "coupled" (L2 in the gradient, rescaled by Adam as all of it is) or
            "decoupled" (AdamW).
        pretrained_rate: float >= 0. Share of the rate for pre-trained variables.
        gradient_clip: float or None. Greatest global norm of the gradients.
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and
            kept is a moving average of the weights over about 1 / (1 - ema_momentum)
            steps, of fewer at the start; 0.999 is usual.

    Returns:
        keras Optimizer.

    Raises:
        InputError: a rate or the decay is negative, or `ema_momentum` is out of range.
    """
    return ScaledAdam(
        _rate(make_schedule, learning_rate),
        beta_1,
        beta_2,
        **_shares(pretrained, pretrained_rate, weight_decay, decay),
        late=_paths(frozen),
        late_steps=frozen_steps,
        global_clipnorm=gradient_clip,
        **_average(ema_momentum),
    )


@OPTIMIZERS.register("adamw")
def adamw(
    make_schedule: MakeSchedule,
    pretrained: Collection[Any],
    frozen: Collection[Any] = (),
    frozen_steps: int = 0,
    *,
    learning_rate: Positive,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    weight_decay: float = 5e-4,
    pretrained_rate: float = 1.0,
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
        ema_momentum: float in (0, 1), or None. Where it is given, what is validated and
            kept is a moving average of the weights over about 1 / (1 - ema_momentum)
            steps, of fewer at the start; 0.999 is usual.

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


def _shares(pretrained: Collection[Any], pretrained_rate: float, weight_decay: float, kind: Decay) -> dict[str, Any]:
    """The arguments for rates and decays, with the names that a configuration has for them."""
    for name, value in (("pretrained_rate", pretrained_rate), ("weight_decay", weight_decay)):
        if not value >= 0:
            raise InputError(f"{name} must not be negative. Received: {value}.")
    return {"slow": _paths(pretrained), "slow_rate": pretrained_rate, "decay": weight_decay, "decay_kind": kind}


def _paths(variables: Collection[Any]) -> tuple[str, ...]:
    return tuple(variable.path for variable in variables)


def _average(ema_momentum: float | None) -> dict[str, Any]:
    """Keras' arguments for averages of the weights."""
    if ema_momentum is None:
        return {}
    if not 0.0 < ema_momentum < 1.0:
        raise InputError(f"ema_momentum must be above 0 and below 1, or null. Received: ema_momentum={ema_momentum}.")
    return {"use_ema": True, "ema_momentum": ema_momentum}
