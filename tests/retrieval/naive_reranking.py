"""k-reciprocal re-ranking as the paper writes it: sets, loops and whole matrices."""

import numpy as np


def naive_reranking(distances, num_queries, k1, k2, weight, count_itself=False):
    """Re-ranks by Zhong et al., CVPR 2017, sections 3.2 to 3.4.

    Args:
        distances: float [N, N]. Of all images to all, the queries first.
        num_queries: int.
        k1, k2, weight: of the paper; weight is its lambda.
        count_itself: bool. The authors' program instead of equation 5.

    Returns:
        float64 [queries, N - queries].
    """
    count = len(distances)
    distances = np.array(distances, np.float64)
    distances /= distances.max(axis=1, keepdims=True)
    order = []
    for image in range(count):
        others = [other for other in np.argsort(distances[image], kind="stable").tolist() if other != image]
        order.append([image, *others])

    def reciprocal(image, k):
        return {other for other in order[image][: k + 1] if image in order[other][: k + 1]}

    descriptions = np.zeros((count, count))
    for image in range(count):
        own = reciprocal(image, k1)
        expanded = set(own)
        for neighbour in own - {image}:
            theirs = reciprocal(neighbour, round(k1 / 2))
            if count_itself:
                joins = len(own & theirs) > 2 / 3 * len(theirs)
            else:
                joins = 3 * len((own - {image}) & (theirs - {neighbour})) >= 2 * len(theirs - {neighbour})
            if joins:
                expanded |= theirs
        for other in expanded:
            descriptions[image, other] = np.exp(-distances[image, other])
        descriptions[image] /= descriptions[image].sum()
    means = np.array([descriptions[order[image][:k2]].mean(axis=0) for image in range(count)])
    final = np.empty((num_queries, count - num_queries))
    for image in range(num_queries):
        for place, other in enumerate(range(num_queries, count)):
            smaller = np.minimum(means[image], means[other]).sum()
            larger = np.maximum(means[image], means[other]).sum()
            final[image, place] = weight * distances[image, other] + (1 - weight) * (1 - smaller / larger)
    return final
