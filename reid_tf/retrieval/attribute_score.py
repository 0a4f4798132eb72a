"""The figures of one attribute: what plain accuracy hides where an attribute is rare."""

import dataclasses
import math

import numpy as np

FIGURES = ("accuracy", "balanced_accuracy", "f1", "positive_share", "majority_share")


@dataclasses.dataclass(frozen=True)
class AttributeScore:
    """The figures of one attribute, over the images where it is labelled; NaN where the labels allow none.

    Of a binary attribute ("hat", "age=old") or of a whole group ("age"), whose answer
    is one of several classes.

    Args:
        name: str. A name of `schema.binary_names`, or a group's.
        images: int. Labelled images.
        accuracy: float. Share of images with the right answer; for a group, with the
            right class among all.
        balanced_accuracy: float. Mean over the classes that are among the labels of the
            share of their images answered
            right: 0.5 by chance for a binary attribute, 1 / classes for a group. NaN
                where there is one class only.
        f1: float. Harmonic mean of precision and recall: of "present" for a binary
            attribute, averaged over the classes that are among the labels for a group.
            NaN where there is one class only.
        positive_share: float. Share of images that have the binary attribute; NaN for a
            group.
        majority_share: float. Share of the most frequent class: the accuracy of always
            giving that answer.
    """

    name: str
    images: int
    accuracy: float
    balanced_accuracy: float
    f1: float
    positive_share: float
    majority_share: float

    @property
    def is_judged(self) -> bool:
        """Whether the labels hold two classes or more, so that every figure exists and enters the means."""
        return not math.isnan(self.balanced_accuracy)

    def to_dict(self) -> dict[str, float | int | None]:
        """Returns the figures by name as JSON values: None stands for NaN."""
        return {"images": self.images, **{key: json_figure(getattr(self, key)) for key in FIGURES}}


def score_attribute(name: str, answers: np.ndarray, labels: np.ndarray, classes: int, binary: bool) -> AttributeScore:
    """Compares the answers to one question with their labels.

    Args:
        name: str. The attribute's, or the group's.
        answers: int [N] in 0 .. classes - 1.
        labels: int [N] in 0 .. classes - 1. None unknown.
        classes: int. 2 for a binary attribute.
        binary: bool. Whether class 1 is the presence of a binary attribute, not one
            answer of a group.

    Returns:
        `AttributeScore`.
    """
    table = np.bincount(labels * classes + answers, minlength=classes * classes).reshape(classes, classes)
    of_class, right = table.sum(axis=1), np.diag(table)  # table[label, answer]
    images = len(labels)
    present = np.flatnonzero(of_class)
    balanced_accuracy = f1 = math.nan
    if len(present) > 1:
        balanced_accuracy = float(np.mean(right[present] / of_class[present]))
        # 2 TP / (2 TP + FP + FN), whose denominator is the class's labels and answers together
        f1_of_class = 2 * right[present] / (of_class + table.sum(axis=0))[present]
        f1 = float(f1_of_class[1] if binary else np.mean(f1_of_class))
    return AttributeScore(
        name,
        images,
        accuracy=float(right.sum() / images) if images else math.nan,
        balanced_accuracy=balanced_accuracy,
        f1=f1,
        positive_share=float(of_class[1] / images) if binary and images else math.nan,
        majority_share=float(of_class.max() / images) if images else math.nan,
    )


def json_figure(value: float) -> float | None:
    """Returns a figure as a JSON value: None stands for NaN."""
    return None if math.isnan(value) else value
