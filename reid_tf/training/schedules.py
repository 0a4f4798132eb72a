"""Learning rates over the epochs, as Keras schedules over the steps."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops
from keras.optimizers.schedules import CosineDecay, LearningRateSchedule, PiecewiseConstantDecay

from reid_tf.errors import InputError
from reid_tf.options import Whole
from reid_tf.registry import SCHEDULES


@keras.saving.register_keras_serializable(package="reid_tf")
class WarmUp(LearningRateSchedule):
    """Another schedule, scaled down during its first steps.

    Args:
        schedule: LearningRateSchedule. What is followed afterwards (it counts the
            warm-up's steps too).
        steps: int. Length of the warm-up.
        factor: float in (0, 1]. Share of the rate at the start.
        kind: str. "constant" keeps the share, "linear" lets it grow to 1.
    """

    def __init__(
        self, schedule: LearningRateSchedule, steps: int, factor: float, kind: Literal["constant", "linear"]
    ) -> None:
        super().__init__()
        self.schedule, self.steps, self.factor, self.kind = schedule, steps, factor, kind

    def __call__(self, step: Any) -> Any:
        """Returns the rate at a step."""
        step = ops.cast(step, "float32")
        progress = ops.minimum(step / max(self.steps, 1), 1.0) if self.kind == "linear" else 0.0
        share = ops.where(step < self.steps, self.factor + (1.0 - self.factor) * progress, 1.0)
        return share * self.schedule(step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps, "factor": self.factor, "kind": self.kind}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "WarmUp":
        """Rebuilds the schedule from `get_config()`."""
        return cls(**{**config, "schedule": keras.saving.deserialize_keras_object(config["schedule"])})


def _warmed_up(
    schedule: LearningRateSchedule, steps: int, factor: float, kind: Literal["constant", "linear"]
) -> LearningRateSchedule:
    if not 0.0 < factor <= 1.0:
        raise InputError(f"warmup_factor must be in (0, 1]. Received: {factor}.")
    return WarmUp(schedule, steps, factor, kind) if steps else schedule


@SCHEDULES.register("step")
def step(
    learning_rate: float,
    steps_per_epoch: int,
    *,
    boundaries: Sequence[Whole] = (),
    factor: float = 0.1,
    warmup_epochs: Whole = 0,
    warmup_factor: float = 0.1,
    warmup: Literal["constant", "linear"] = "constant",
) -> LearningRateSchedule:
    """The rate is multiplied by a factor at the end of some epochs.

    Args:
        learning_rate: float. The rate before the first boundary.
        steps_per_epoch: int.
        boundaries: ints, ascending. Epochs after which the rate falls; 40 means that
            epoch 41 is the first with less.
        factor: float. What the rate is multiplied by each time.
        warmup_epochs: int. Epochs at the start with a smaller rate.
        warmup_factor: float in (0, 1]. Share of the rate at the start.
        warmup: str. "constant" (the Improved Res2Net paper's: five epochs at a tenth)
            or "linear".

    Returns:
        LearningRateSchedule over steps.

    Raises:
        InputError: the boundaries do not ascend, or the warm-up's factor is out of
            range.

    References:
        Cao and Lee, Multi-Task Network for Person Reidentification, section 3.2: times
        0.1 every 5 epochs from 40 on.
    """
    if list(boundaries) != sorted(set(boundaries)):
        raise InputError(f"The boundaries of the schedule must ascend. Received: {list(boundaries)}.")
    values = [learning_rate * factor**passed for passed in range(len(boundaries) + 1)]
    # Keras counts a boundary's own step to the value before it; the first step of the next epoch must have the new one.
    last_steps = [epoch * steps_per_epoch - 1 for epoch in boundaries]
    schedule: LearningRateSchedule = (
        PiecewiseConstantDecay(last_steps, values) if boundaries else Constant(learning_rate)
    )
    return _warmed_up(schedule, warmup_epochs * steps_per_epoch, warmup_factor, warmup)


@SCHEDULES.register("cosine")
def cosine(
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
    *,
    final_factor: float = 0.0,
    warmup_epochs: Whole = 0,
    warmup_factor: float = 0.01,
    warmup: Literal["constant", "linear"] = "linear",
) -> LearningRateSchedule:
    """The rate falls along half a cosine from the first step to the last.

    Args:
        learning_rate: float. The highest rate.
        steps_per_epoch: int.
        epochs: int. Length of the run.
        final_factor: float. Share of the rate at the end.
        warmup_epochs: int. Epochs at the start with a smaller rate.
        warmup_factor: float in (0, 1]. Share of the rate at the start.
        warmup: str. "linear" or "constant".

    Returns:
        LearningRateSchedule over steps.

    Raises:
        InputError: the warm-up's factor is out of range.

    References:
        Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts,
        equation 5 without restarts.
    """
    schedule = CosineDecay(learning_rate, epochs * steps_per_epoch, alpha=final_factor)
    return _warmed_up(schedule, warmup_epochs * steps_per_epoch, warmup_factor, warmup)


@SCHEDULES.register("constant")
def constant(
    learning_rate: float, steps_per_epoch: int, *, warmup_epochs: Whole = 0, warmup_factor: float = 0.1
) -> LearningRateSchedule:
    """The same rate throughout, after an optional linear warm-up.

    Args:
        learning_rate: float.
        steps_per_epoch: int.
        warmup_epochs: int. Epochs at the start with a smaller rate.
        warmup_factor: float in (0, 1]. Share of the rate at the start.

    Returns:
        LearningRateSchedule over steps.

    Raises:
        InputError: the warm-up's factor is out of range.
    """
    return _warmed_up(Constant(learning_rate), warmup_epochs * steps_per_epoch, warmup_factor, "linear")


@keras.saving.register_keras_serializable(package="reid_tf")
class Constant(LearningRateSchedule):
    """One rate for every step.

    Args:
        learning_rate: float.
    """

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate

    def __call__(self, step: Any) -> Any:
        """Returns the rate, whatever the step."""
        return ops.convert_to_tensor(self.learning_rate, "float32")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"learning_rate": self.learning_rate}
