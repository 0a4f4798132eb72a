"""Above which distance two images count as two people, and how likely a distance makes one person."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.options import unknown
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.fingerprint import Fingerprint
from reid_tf.schema import of_fields, parse_json

CALIBRATION_FILE = "calibration.json"
_LARGEST = {"cosine": 2.00001}  # 2 and what rounding may add


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The decision between "the same person" and "two people" for the distances of one encoder.

    Args:
        distance: str. What is compared: "cosine", "euclidean" or "mean_squared", as in
            `distances.distance_blocks`, of embeddings as the encoder gives them.
        threshold: float, one that float32 holds. Two images are the same person where
            distance <= threshold.
        false_accept_rate: float in (0, 1). The largest share of the measured pairs of
            two people that the threshold accepts.
        slope: float. Of the logistic function, see `probability()`.
        intercept: float. Of the logistic function.
        figures: mapping of values that JSON has. What it was measured on and how well
            it separates.
        encoder: `Fingerprint` of the encoder whose distances were measured; None in
            files of version 0.1.0.

    Raises:
        InputError: the distance is unknown, a number is not finite, the rate is outside
            (0, 1), the slope not positive, or the threshold no distance.
    """

    distance: str
    threshold: float
    false_accept_rate: float
    slope: float
    intercept: float
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    encoder: Fingerprint | None = None

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise InputError(unknown("distance", self.distance, DISTANCES))
        check_rate(self.false_accept_rate)
        numbers = {name: getattr(self, name) for name in ("threshold", "slope", "intercept")}
        if not np.isfinite([*numbers.values()]).all():
            raise InputError(f"A calibration's threshold, slope and intercept must be finite. Received: {numbers}.")
        if self.slope <= 0:
            raise InputError(
                f"A calibration's slope must be above 0, as images of one person are nearer. Received: {self.slope:g}."
            )
        largest = _LARGEST.get(self.distance, float(np.finfo(np.float32).max))
        if not 0 <= self.threshold <= largest:
            raise InputError(
                f"A calibration's threshold must be a {self.distance} distance, between 0 and {largest:.5g}. "
                f"Received: {self.threshold:g}."
            )

    def same(self, distances: np.ndarray) -> np.ndarray:
        """Decides which distances are those of one person.

        Args:
            distances: float32 of any shape.

        Returns:
            bool of the same shape.
        """
        return np.asarray(distances, np.float32) <= np.float32(self.threshold)

    def probability(self, distances: np.ndarray) -> np.ndarray:
        """Turns distances into probabilities of one person, where both answers are equally likely beforehand.

        Args:
            distances: float of any shape.

        Returns:
            float64 of the same shape: sigmoid(intercept - slope * distance).
        """
        negated = self.slope * np.asarray(distances, np.float64) - self.intercept
        return np.asarray(np.exp(-np.logaddexp(0.0, negated)))  # 1 / (1 + exp(negated)), which cannot overflow

    def distance_at(self, probability: float) -> float:
        """Returns the distance that has a probability of one person: `probability()` turned round, at least 0.

        Args:
            probability: float in (0, 1).

        Raises:
            InputError: it is outside that range.
        """
        if not 0 < probability < 1:
            raise InputError(f"A probability must be between 0 and 1, both excluded. Received: {probability}.")
        return float(max(0.0, (self.intercept - np.log(probability / (1 - probability))) / self.slope))

    def to_dict(self) -> dict[str, Any]:
        """Returns the calibration as JSON values, which `from_dict` reads."""
        return {**dataclasses.asdict(self), "encoder": self.encoder and self.encoder.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":
        """Reads what `to_dict` gave.

        Args:
            values: mapping with the fields of `Calibration`.

        Raises:
            InputError: a field is missing, unknown or of another type, or as
                `Calibration`.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, Mapping) or not {*names} - {"figures", "encoder"} <= set(values) <= set(names):
            raise InputError(f"A calibration has the fields {', '.join(names)}. Received: {values!r}.")
        return of_fields(cls, values, "The calibration")

    def save(self, path: str | Path) -> None:
        """Writes the calibration as JSON; the file is complete or absent at this name."""
        write_json(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> "Calibration":
        """Reads what `save` wrote.

        Args:
            path: str or Path.

        Raises:
            InputError: the file is missing or not a JSON mapping, or as `from_dict()`.
        """
        try:
            values = parse_json(Path(path).read_bytes())
        except FileNotFoundError:
            raise InputError(f"There is no calibration {str(path)!r}; reid-tf calibrate writes it.") from None
        except (OSError, ValueError) as error:
            raise InputError(f"{str(path)!r} is not a calibration (JSON): {error}.") from None
        return cls.from_dict(values)


def check_rate(rate: float) -> None:
    """Raises an `InputError` unless a false-accept rate is between 0 and 1, both excluded."""
    if not 0 < rate < 1:
        raise InputError(f"false_accept_rate must be between 0 and 1, both excluded. Received: {rate}.")


def fit_logistic(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """Fits the probability that two images show one person to the distance between them.

    Genuine and impostor pairs weigh the same in sum, however many there are: the
    probability is that of somebody who holds both answers for equally likely
    beforehand. The distances are standardised for the fit; its small penalty on the
    slope keeps that finite where a threshold separates all pairs.

    Args:
        genuine: float [G]. Distances of the pairs of one person.
        impostor: float [I]. Distances of the pairs of two.

    Returns:
        (slope, intercept) of probability = sigmoid(intercept - slope * distance).
    """
    from sklearn.linear_model import LogisticRegression  # only fitting needs it, not the use of what was fitted

    distances = np.concatenate([genuine, impostor]).astype(np.float64)
    mean, scale = distances.mean(), distances.std() or 1.0
    is_genuine = np.arange(len(distances)) < len(genuine)
    model = LogisticRegression(class_weight="balanced").fit(((distances - mean) / scale)[:, np.newaxis], is_genuine)
    slope = -float(model.coef_[0, 0]) / scale
    return float(slope), float(model.intercept_[0] + slope * mean)
