"""How many images and identities the published data sets have, to know an incomplete copy by."""

import dataclasses

from reid_tf.datasets.findings import Finding
from reid_tf.datasets.record import ReIDDataset


@dataclasses.dataclass(frozen=True)
class Counts:
    """The published size of a data set.

    Args:
        variant: str. Which form of the data set it is, where there are several.
        images: tuple of int. Of the splits train, query and gallery, without junk.
        identities: tuple of int. Of the splits train and query.
    """

    variant: str
    images: tuple[int, int, int]
    identities: tuple[int, int]


PUBLISHED = {
    "market1501": (
        Counts("", (12_936, 3_368, 15_913), (751, 750)),
        Counts(" with 500,000 distractors", (12_936, 3_368, 515_913), (751, 750)),
    ),
    "dukemtmc_reid": (Counts("", (16_522, 2_228, 17_661), (702, 702)),),
    "cuhk03": (
        Counts(" (detected)", (7_365, 1_400, 5_332), (767, 700)),
        Counts(" (labeled)", (7_368, 1_400, 5_328), (767, 700)),
    ),
}


def check_counts(dataset: ReIDDataset) -> list[Finding]:
    """Compares a data set's size with the published one of its name; a data set of another name has no finding.

    Args:
        dataset: `ReIDDataset`.

    Returns:
        list of `Finding`: a warning that names every difference from the nearest published variant, or nothing.
    """
    variants = PUBLISHED.get(dataset.name, ())
    if not variants:
        return []
    differences = min((_differences(dataset, counts) for counts in variants), key=len)
    if not differences:
        return []
    return [
        Finding(
            "warning",
            f"The counts differ from the published ones of {dataset.name}: {'; '.join(differences)}. The copy may be "
            "incomplete or another version, and its figures cannot be compared with published figures.",
        )
    ]


def _differences(dataset: ReIDDataset, counts: Counts) -> list[str]:
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    differences = []
    for (split, records), published in zip(splits.items(), counts.images, strict=True):
        if len(records) != published:
            differences.append(f"{split} has {len(records):,} images, published{counts.variant} {published:,}")
    for split, published in zip(("train", "query"), counts.identities, strict=True):
        found = len({record.identity for record in splits[split]})
        if found != published:
            differences.append(f"{split} has {found:,} identities, published{counts.variant} {published:,}")
    return differences
