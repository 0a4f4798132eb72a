"""How many images and identities the published data sets have, to know an incomplete copy by."""

import dataclasses
from collections.abc import Mapping

from reid_tf.datasets.doctor.findings import Finding
from reid_tf.datasets.record import Record, ReIDDataset


@dataclasses.dataclass(frozen=True)
class Counts:
    """The published size of a data set.

    Args:
        variant: str. Which form of the data set it is, where there are several.
        images: mapping from a split, or several with "+" between them, to their images,
            without junk.
        identities: mapping likewise, to their identities.
    """

    variant: str
    images: Mapping[str, int]
    identities: Mapping[str, int]


def _counts(variant: str, images: tuple[int, int, int], identities: tuple[int, int]) -> Counts:
    """Counts of a data set with one split: images of train, query and gallery, identities of train and query."""
    by_split = dict(zip(("train", "query", "gallery"), images, strict=True))
    return Counts(variant, by_split, dict(zip(("train", "query"), identities, strict=True)))


def _classic_counts(variant: str, images: int) -> Counts:
    """Counts of CUHK03's classic protocol that are the same for all of its splits."""
    return Counts(variant, {"train+query+gallery": images}, {"train": 1_367, "query+gallery": 100})


PUBLISHED = {
    "market1501": (
        _counts("", (12_936, 3_368, 15_913), (751, 750)),
        _counts(" with 500,000 distractors", (12_936, 3_368, 515_913), (751, 750)),
    ),
    "dukemtmc_reid": (_counts("", (16_522, 2_228, 17_661), (702, 702)),),
    "occluded_duke": (_counts("", (15_618, 2_210, 17_661), (702, 519)),),
    "msmt17": (_counts("", (32_621, 11_659, 82_161), (1_041, 3_060)),),
    "cuhk03": (
        _counts(" (detected)", (7_365, 1_400, 5_332), (767, 700)),
        _counts(" (labeled)", (7_368, 1_400, 5_328), (767, 700)),
    ),
    "cuhk03_classic": (_classic_counts(" (detected)", 14_097), _classic_counts(" (labeled)", 14_096)),
}


def check_counts(dataset: ReIDDataset) -> list[Finding]:
    """Compares a data set's size with the published one of its name; a data set of another name has no finding.

    Args:
        dataset: `ReIDDataset`.

    Returns:
        list of `Finding`: a warning that names every difference from the nearest
        published variant, or nothing.
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
    differences = []
    for splits, published in counts.images.items():
        found = len(_records(dataset, splits))
        if found != published:
            differences.append(f"{splits} has {found:,} images, published{counts.variant} {published:,}")
    for splits, published in counts.identities.items():
        found = len({record.identity for record in _records(dataset, splits)})
        if found != published:
            differences.append(f"{splits} has {found:,} identities, published{counts.variant} {published:,}")
    return differences


def _records(dataset: ReIDDataset, splits: str) -> list[Record]:
    return [record for split in splits.split("+") for record in dataset.splits()[split]]
