"""A probability from a distance."""

import numpy as np
from sklearn.linear_model import LogisticRegression


def fit_logistic(genuine: np.ndarray, impostor: np.ndarray) -> tuple[float, float]:
    """Fits the probability that two images show one person to the distance between them.

    Genuine and impostor pairs weigh the same in sum, however many there are: the probability is that of somebody who
    holds both answers for equally likely beforehand. The distances are standardised for the fit; its small penalty on
    the slope keeps that finite where a threshold separates all pairs.

    Args:
        genuine: float [G]. Distances of the pairs of one person.
        impostor: float [I]. Distances of the pairs of two.

    Returns:
        (slope, intercept) of probability = sigmoid(intercept - slope * distance).
    """
    distances = np.concatenate([genuine, impostor]).astype(np.float64)
    mean, scale = distances.mean(), distances.std() or 1.0
    is_genuine = np.arange(len(distances)) < len(genuine)
    model = LogisticRegression(class_weight="balanced").fit(((distances - mean) / scale)[:, np.newaxis], is_genuine)
    slope = -float(model.coef_[0, 0]) / scale
    return float(slope), float(model.intercept_[0] + slope * mean)
