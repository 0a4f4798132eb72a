"""The data set doctor: what is wrong with a data set, in sentences, before anything is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from reid_tf.datasets.attributes.schema import UNKNOWN
from reid_tf.datasets.doctor.findings import Finding, counted, named
from reid_tf.datasets.doctor.images import check_images
from reid_tf.datasets.doctor.published_counts import check_counts
from reid_tf.datasets.record import JUNK, Record, ReIDDataset


def check(dataset: ReIDDataset, read_images: bool = True) -> list[Finding]:
    """Examines a data set for everything that would spoil a training or its figures.

    Args:
        dataset: `ReIDDataset`.
        read_images: bool. Whether every image is read and decoded too, which takes
            minutes for large sets.

    Returns:
        list of `Finding`, errors first, then warnings and notes.
    """
    findings = [
        *_check_splits(dataset),
        *_check_identities(dataset),
        *_check_paths(dataset),
        *_check_queries(dataset),
        *check_counts(dataset),
        *_check_attributes(dataset),
        *_check_landmarks(dataset),
    ]
    if read_images:
        findings += check_images(dataset)
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: order[finding.severity])


def _check_splits(dataset: ReIDDataset) -> Iterator[Finding]:
    consequences = {
        "train": ("warning", "nothing can be trained on it"),
        "query": ("error", "there is nothing to search with, so retrieval cannot be evaluated"),
        "gallery": ("error", "there is nothing to search in, so retrieval cannot be evaluated"),
    }
    for split, (severity, consequence) in consequences.items():
        if not dataset.splits()[split]:
            yield Finding(severity, f"The split {split!r} is empty: {consequence}.")  # type: ignore[arg-type]


def _check_identities(dataset: ReIDDataset) -> Iterator[Finding]:
    unnamed = _names_nobody(dataset)
    if unnamed:
        yield Finding(
            "note",
            f"None of the {len(dataset.query) + len(dataset.gallery):,} query and gallery images says who it shows: a "
            "run is judged on a validation split of the training images.",
        )
    judged = {"train": dataset.train} if unnamed else dataset.splits()
    junk = [r.path for records in judged.values() for r in records if r.identity == JUNK]
    if junk:
        yield Finding("error", f"Junk (identity {JUNK}) is left in the splits, in {len(junk)} images: {named(junk)}.")
    trained = {record.identity for record in dataset.train}
    tested = {record.identity for record in (*dataset.query, *dataset.gallery)}
    leaked = sorted(trained & tested - {JUNK})
    if leaked:
        yield Finding(
            "error",
            f"{counted(len(leaked), 'identity', 'identities')} of the training split "
            f"{'is' if len(leaked) == 1 else 'are'} in the test splits too, so the figures would be too good: "
            f"{named(_names(dataset, leaked))}.",
        )
    images = Counter(record.identity for record in dataset.train)
    single = sorted(identity for identity, number in images.items() if number == 1)
    if single:
        yield Finding(
            "note",
            f"{counted(len(single), 'training identity', 'training identities')} with one image can serve as negatives "
            f"only: {named(_names(dataset, single))}.",
        )


def _names_nobody(dataset: ReIDDataset) -> bool:
    """Whether the test images are a challenge's, of which nobody says who they show."""
    tested = (*dataset.query, *dataset.gallery)
    return bool(tested) and all(record.identity == JUNK for record in tested)


def _check_paths(dataset: ReIDDataset) -> Iterator[Finding]:
    # The multi-query images may repeat the queries: the query is one of a person's boxes.
    splits: dict[str, list[str]] = defaultdict(list)
    people: dict[str, set[int]] = defaultdict(set)
    for split in ("train", "query", "gallery"):
        for record in dataset.splits()[split]:
            splits[record.path].append(split)
            people[record.path].add(record.identity)
    shared = [path for path, where in splits.items() if len(set(where)) > 1]
    if shared:
        yield Finding("error", f"{counted(len(shared), 'image file')} in more than one split: {named(shared)}.")
    torn = [path for path, identities in people.items() if len(identities) > len(set(splits[path])) == 1]
    if torn:
        yield Finding("error", f"{counted(len(torn), 'image file')} listed for two people: {named(torn)}.")
    repeated = [path for path, where in splits.items() if len(where) > len(set(where))]
    if repeated:
        yield Finding("warning", f"{counted(len(repeated), 'image file')} listed twice in a split: {named(repeated)}.")


def _check_queries(dataset: ReIDDataset) -> Iterator[Finding]:
    if not dataset.query or not dataset.gallery or _names_nobody(dataset):
        return
    cameras = {record.camera for record in (*dataset.query, *dataset.gallery)}
    if len(cameras) == 1:
        yield Finding(
            "warning",
            f"Query and gallery come from one camera ({cameras.pop()}): the protocol 'market1501' would ignore every "
            "match and give 0; evaluate with the protocol 'single_camera'.",
        )
        found_in = {record.identity for record in dataset.gallery}
        lonely = [record for record in dataset.query if record.identity not in found_in]
        yield from _unmatched(dataset, lonely, "a match in the gallery")
        return
    seen_by: dict[int, set[int]] = defaultdict(set)
    for record in dataset.gallery:
        seen_by[record.identity].add(record.camera)
    lonely = [record for record in dataset.query if not seen_by[record.identity] - {record.camera}]
    yield from _unmatched(dataset, lonely, "a match from another camera in the gallery")


def _unmatched(dataset: ReIDDataset, lonely: Sequence[Record], what: str) -> Iterator[Finding]:
    if len(lonely) == len(dataset.query):
        yield Finding(
            "error", f"None of {counted(len(lonely), 'query', 'queries')} has {what}: every metric would be 0."
        )
    elif lonely:
        yield Finding(
            "warning",
            f"{len(lonely):,} of {counted(len(dataset.query), 'query', 'queries')} lack {what} and are skipped by the "
            f"metrics: {named(record.path for record in lonely)}.",
        )


def _check_attributes(dataset: ReIDDataset) -> Iterator[Finding]:
    schema = dataset.attribute_schema
    if schema is None:
        return
    for split, records in dataset.splits().items():
        described = [record for record in records if record.attributes is not None]
        wrong = [record.path for record in described if not _fits(record, [len(g.classes) for g in schema.groups])]
        if wrong:
            yield Finding("error", f"Attributes that the schema does not have, in {split!r}: {named(wrong)}.")
            continue
        if split == "train" and records:
            unknown = [
                f"{group.name} of {number:,}"
                for index, group in enumerate(schema.groups)
                if (number := sum(record.attributes[index] == UNKNOWN for record in described if record.attributes))
            ]
            yield Finding(
                "note" if described else "warning",
                f"{len(described):,} of {counted(len(records), 'training image')} have attributes, in "
                f"{counted(len(schema.groups), 'group')}{'; unknown: ' + ', '.join(unknown) if unknown else ''}.",
            )


def _fits(record: Record, sizes: Sequence[int]) -> bool:
    answers = record.attributes or ()
    return len(answers) == len(sizes) and all(
        UNKNOWN <= answer < size for answer, size in zip(answers, sizes, strict=True)
    )


def _check_landmarks(dataset: ReIDDataset) -> Iterator[Finding]:
    records = [record for split in dataset.splits().values() for record in split]
    located = sum(record.landmarks is not None for record in records)
    if located:
        yield Finding("note", f"{located:,} of {counted(len(records), 'image')} have landmarks.")


def _names(dataset: ReIDDataset, identities: Sequence[int]) -> list[str]:
    names = dataset.identity_names or {}
    return [names.get(identity, str(identity)) for identity in identities]
