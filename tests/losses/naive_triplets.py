"""Triplet losses as loops over every anchor, positive and negative, in float64."""

import numpy as np


def distance(a: np.ndarray, b: np.ndarray, name: str) -> float:
    if name == "cosine":
        return 1.0 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    square = np.sum((a - b) ** 2)
    return square if name == "squared_euclidean" else np.sqrt(square)


def unconstrained(anchor: int, others: list[int], positive: bool) -> list[int]:
    return others


def mined(
    anchor: int, identities, distances, mining: str, margin: float, hardest: int, constrain=unconstrained
) -> list[tuple[float, float]]:
    others = [i for i in range(len(identities)) if i != anchor]
    same = [i for i in others if identities[i] == identities[anchor]]
    different = [i for i in others if identities[i] != identities[anchor]]
    positives = [distances[anchor, i] for i in constrain(anchor, same, True)]
    negatives = sorted(distances[anchor, i] for i in constrain(anchor, different, False))
    if not positives or not negatives:
        return []
    if mining == "batch_hard":
        return [(max(positives), min(negatives))]
    if mining == "hardest_negatives":
        negatives = negatives[:hardest]
    triplets = [(positive, negative) for positive in positives for negative in negatives]
    if mining == "semi_hard":
        triplets = [(p, n) for p, n in triplets if p < n < p + margin]
    return triplets


def naive_triplet_loss(
    identities,
    embeddings,
    distance_name="euclidean",
    mining="batch_hard",
    margin=0.3,
    hardest=4,
    reduction="mean",
    constrain=unconstrained,
) -> np.ndarray:
    """One value an anchor; `margin` None is the soft one, `constrain` keeps some of an anchor's partners."""
    embeddings = np.asarray(embeddings, np.float64)
    count = len(embeddings)
    distances = np.array(
        [[distance(embeddings[i], embeddings[j], distance_name) for j in range(count)] for i in range(count)]
    )
    values = []
    for anchor in range(count):
        triplets = mined(
            anchor, identities, distances, mining, np.inf if margin is None else margin, hardest, constrain
        )
        losses = [np.log1p(np.exp(p - n)) if margin is None else max(0.0, margin + p - n) for p, n in triplets]
        if reduction == "mean_active":
            losses = [value for value in losses if value > 0]
        total = sum(losses)
        values.append(total if reduction == "sum" or not losses else total / len(losses))
    return np.array(values)
