"""Softmax losses on cosines that ask for a margin: ArcFace's on the angle, CosFace's on the cosine."""

import abc
import math
from typing import Any

import keras
from keras import ops

from reid_tf.errors import InputError
from reid_tf.layers.class_vectors import CosineClassifier
from reid_tf.losses.class_head import ClassHeadLoss, of_true_class
from reid_tf.options import Whole
from reid_tf.registry import METRIC_LOSSES

# The sine of a smaller angle has a gradient without bounds.
LARGEST_COSINE = 1.0 - 1e-6


def arcface_cosine(cosines: Any, margin: Any) -> Any:
    """cos(angle + margin); past the angle at which that would rise again, a line that goes on falling.

    Args:
        cosines: float [...]. Of the true class.
        margin: float []. In radians.

    Returns:
        float [...].

    References:
        Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition,
        equation 3; the line is that of the authors' program.
    """
    cosines = ops.clip(cosines, -LARGEST_COSINE, LARGEST_COSINE)
    sines = ops.sqrt(1.0 - ops.square(cosines))
    rotated = cosines * ops.cos(margin) - sines * ops.sin(margin)
    return ops.where(cosines > -ops.cos(margin), rotated, cosines - margin * ops.sin(margin))


def margin_softmax(classes: Any, cosines: Any, with_margin: Any, scale: float) -> Any:
    """Cross-entropy of a softmax over scaled cosines, that of the true class replaced.

    Args:
        classes: int [...]. The true class of each row.
        cosines: float [..., classes].
        with_margin: float [...]. What stands for the true class.
        scale: float above 0.

    Returns:
        float [...].
    """
    is_true = ops.one_hot(ops.cast(classes, "int32"), cosines.shape[-1], dtype="bool")
    logits = scale * ops.where(is_true, with_margin[..., None], cosines)
    return ops.logsumexp(logits, axis=-1) - scale * with_margin


class CosineMarginLoss(ClassHeadLoss):
    """What ArcFace and CosFace share; a model puts a `CosineClassifier` between its embedding and the loss.

    Args:
        margin: float. At its full size.
        scale: float above 0. Of the cosines in the softmax.
        warmup_epochs: int >= 0. Epochs in which the margin grows from 0, epoch by
            epoch, in a training of this package; with the full margin from the
            beginning a network may never start to learn.
        name: str.

    Raises:
        InputError: an option is out of its range.
    """

    ranking_distance = "cosine"
    head_layer = CosineClassifier

    def __init__(self, margin: float, scale: float, warmup_epochs: int, name: str) -> None:
        super().__init__(name=name)
        if not scale > 0:
            raise InputError(f"scale must be above 0. Received: scale={scale}.")
        if warmup_epochs < 0:
            raise InputError(f"warmup_epochs must be at least 0. Received: warmup_epochs={warmup_epochs}.")
        self.margin, self.scale, self.warmup_epochs = margin, scale, warmup_epochs
        self.current_margin = keras.Variable(margin, trainable=False, dtype="float32", name=f"{name}_margin")

    def begin_epoch(self, epoch: int) -> None:
        """Sets the margin of an epoch, counted from 0; `warmup_epochs` later it has its full size."""
        share = 1.0 if self.warmup_epochs == 0 else min(1.0, epoch / self.warmup_epochs)
        self.current_margin.assign(share * self.margin)

    @abc.abstractmethod
    def true_cosine(self, cosines: Any, margin: Any) -> Any:
        """Returns what stands for the cosine of the true class."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each image.

        Args:
            y_true: int [batch] or [batch, 2]. Classes.
            y_pred: float [batch, classes] or [batch, 2, classes]. Cosines.

        Returns:
            float32, of the shape of `y_true`.
        """
        with_margin = self.true_cosine(of_true_class(y_true, y_pred), ops.convert_to_tensor(self.current_margin))
        return margin_softmax(y_true, y_pred, with_margin, self.scale)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "margin": self.margin,
            "scale": self.scale,
            "warmup_epochs": self.warmup_epochs,
            "name": self.name,
        }


@METRIC_LOSSES.register("arcface")
@keras.saving.register_keras_serializable(package="reid_tf")
class ArcFaceLoss(CosineMarginLoss):
    """Additive angular margin.

    Args:
        margin: float in [0, pi), in radians. 0.5 as in the paper.
        scale: float above 0. The paper's 64 is for millions of faces.
        warmup_epochs: int >= 0. Epochs in which the margin grows from 0.
        name: str.

    Raises:
        InputError: an option is out of its range.

    References:
        Deng et al., ArcFace: Additive Angular Margin Loss for Deep Face Recognition,
        equation 3.
    """

    def __init__(
        self, *, margin: float = 0.5, scale: float = 30.0, warmup_epochs: Whole = 0, name: str = "arcface"
    ) -> None:
        if not 0 <= margin < math.pi:
            raise InputError(f"margin must be an angle of at least 0 and below pi. Received: margin={margin}.")
        super().__init__(margin, scale, warmup_epochs, name)

    def true_cosine(self, cosines: Any, margin: Any) -> Any:
        """Returns `arcface_cosine(cosines, margin)`."""
        return arcface_cosine(cosines, margin)


@METRIC_LOSSES.register("cosface")
@keras.saving.register_keras_serializable(package="reid_tf")
class CosFaceLoss(CosineMarginLoss):
    """Additive cosine margin.

    Args:
        margin: float in [0, 2), which the cosines span. 0.35 as in the paper.
        scale: float above 0. The paper's 64 is for millions of faces.
        warmup_epochs: int >= 0. Epochs in which the margin grows from 0.
        name: str.

    Raises:
        InputError: an option is out of its range.

    References:
        Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition,
        equation 4.
    """

    def __init__(
        self, *, margin: float = 0.35, scale: float = 30.0, warmup_epochs: Whole = 0, name: str = "cosface"
    ) -> None:
        if not 0 <= margin < 2:
            raise InputError(f"margin must be at least 0 and below 2. Received: margin={margin}.")
        super().__init__(margin, scale, warmup_epochs, name)

    def true_cosine(self, cosines: Any, margin: Any) -> Any:
        """Returns the cosines less the margin."""
        return cosines - margin
