"""The people of footage in a gallery."""

import datetime
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.footage.footage import CROPS_FOLDER, People
from reid_tf.gallery.adding import entry_of
from reid_tf.gallery.gallery import Gallery
from reid_tf.gallery.sighting import Sighting


def remember(people: People, out: Path, gallery: Gallery) -> tuple[int, int]:
    """Adds the crops to a gallery; those that are there already get the person whom they now show.

    Args:
        people: `People`.
        out: Path. Of the crops.
        gallery: `Gallery`.

    Returns:
        How many crops are new there, and how many have a person.

    Raises:
        InputError: crops of some tracks were not kept.
    """
    tracklets, kept = people.kept.tracklets, people.kept
    without = sum(not some for some in kept.crops)
    if without:
        raise InputError(
            f"A gallery is of crops that are kept. Received: {without:,} of {len(kept.crops):,} tracks whose crops "
            "were discarded."
        )
    of_person: dict[int, list[Sighting]] = {}
    for row, person in enumerate(people.persons.tolist()):
        for name, second, quality in zip(kept.crops[row], kept.times[row], kept.qualities[row], strict=True):
            of_person.setdefault(person, []).append(
                Sighting(
                    str(out / CROPS_FOLDER / name),
                    camera=str(tracklets.cameras[row]),
                    time=datetime.datetime.fromtimestamp(second, datetime.UTC),
                    track=str(tracklets.tracks[row]),
                    person=person_name(out, person),
                    quality=quality,
                )
            )
    added = gallery.add(sighting for some in of_person.values() for sighting in some)
    named = sum(
        gallery.label([entry_of(one).id for one in some], person_name(out, person))
        for person, some in of_person.items()
    )
    return added.added, named


def person_name(out: Path, person: int) -> str:
    """Returns what a gallery calls a person of a folder of footage: "people-7" of the folder `people`."""
    return f"{out.resolve().name}-{person}"
