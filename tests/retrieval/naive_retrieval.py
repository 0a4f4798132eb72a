"""The evaluation as its definitions read: plain loops over single pairs, in Python's double precision."""

import math


def naive_distance(query_vector, gallery_vector, distance):
    pairs = [(float(a), float(b)) for a, b in zip(query_vector, gallery_vector, strict=True)]
    squared = sum((a - b) ** 2 for a, b in pairs)
    if distance == "mean_squared":
        value = squared / len(pairs)
    elif distance == "euclidean":
        value = math.sqrt(squared)
    else:
        lengths = math.sqrt(sum(a * a for a, _ in pairs)) * math.sqrt(sum(b * b for _, b in pairs))
        value = 1 - sum(a * b for a, b in pairs) / lengths if lengths else 1.0
    return round(value, 9)  # so that what is equal on paper is equal here


def naive_order(query, gallery, index, distance):
    distances = [naive_distance(query.vectors[index], vector, distance) for vector in gallery.vectors]
    return sorted(range(len(gallery)), key=lambda entry: (distances[entry], entry)), distances


def naive_ranked(query, gallery, index, distance, protocol):
    """The gallery in ranked order without the ignored images, as True (right) and False (wrong)."""
    order, _ = naive_order(query, gallery, index, distance)
    ranked = []
    for entry in order:
        right = gallery.identities[entry] == query.identities[index]
        if protocol in ("market1501", "cuhk03_single_shot"):
            ignored = right and gallery.cameras[entry] == query.cameras[index]
        else:
            ignored = gallery.paths[entry] == query.paths[index]
        if not ignored:
            ranked.append(bool(right))
    return ranked


def naive_average_precisions(ranked):
    """Step rule and Market-1501's trapezoids, walking down the list."""
    total = sum(ranked)
    step = trapezoid = 0.0
    old_recall, old_precision, found = 0.0, 1.0, 0
    for position, right in enumerate(ranked):
        found += right
        recall, precision = found / total, found / (position + 1)
        step += precision * right / total
        trapezoid += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return step, trapezoid


def naive_evaluate(query, gallery, distance, protocol, max_rank):
    """A dict with the fields of `RetrievalMetrics`."""
    steps, trapezoids, penalties, firsts, per_query = [], [], [], [], []
    for index in range(len(query)):
        ranked = naive_ranked(query, gallery, index, distance, protocol)
        if not any(ranked):
            per_query.append(math.nan)
            continue
        step, trapezoid = naive_average_precisions(ranked)
        last = max(position for position, right in enumerate(ranked, 1) if right)
        per_query.append(step)
        steps.append(step)
        trapezoids.append(trapezoid)
        penalties.append(sum(ranked) / last)
        firsts.append(ranked.index(True) + 1)
    return {
        "cmc": [sum(first <= k for first in firsts) / len(firsts) for k in range(1, max_rank + 1)],
        "mean_average_precision": sum(steps) / len(steps),
        "mean_average_precision_trapezoid": sum(trapezoids) / len(trapezoids),
        "mean_inverse_negative_penalty": sum(penalties) / len(penalties),
        "average_precisions": per_query,
        "num_valid_queries": len(firsts),
        "num_skipped_queries": len(query) - len(firsts),
    }
