"""What is drawn of people in footage: everybody's contact sheet, and the timeline."""

import dataclasses
from pathlib import Path

import numpy as np

from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.footage.footage import CROPS_FOLDER, People
from reid_tf.options import unknown
from reid_tf.pipeline.decode import read_image
from reid_tf.report.blur import BLURS, blurred
from reid_tf.report.people import Stay, contact_sheet, write_timeline
from reid_tf.schema import read_json

SHEETS_FOLDER, DRAWING_FILE = "sheets", "drawing.json"
TIMELINE = ("timeline.png", "timeline.html")


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How a folder of footage is drawn.

    Args:
        blur: "faces", "background", or None.

    Raises:
        InputError: nothing is to be blurred that is called so.
    """

    blur: str | None = None

    def __post_init__(self) -> None:
        if self.blur not in (None, *BLURS):
            raise InputError(unknown("part to blur", str(self.blur), BLURS))


def drawing_of(out: Path) -> Drawing:
    """Returns how a folder of footage was drawn before: nobody is to be recognisable only because nobody asked again.

    Args:
        out: Path. A folder of footage, or one that is still to be made.
    """
    path = out / DRAWING_FILE
    return read_json(path, Drawing) if path.is_file() else Drawing()


def draw(people: People, out: Path, drawing: Drawing) -> None:
    """Draws the timeline, and the contact sheet of everybody of whom crops are kept.

    Sheets of people who are no longer there are removed.

    Args:
        people: `People`.
        out: Path. The folder of footage.
        drawing: `Drawing`, which the folder remembers.
    """
    tracklets, sheets, stays = people.kept.tracklets, {}, []
    write_json(out / DRAWING_FILE, dataclasses.asdict(drawing))
    for person in sorted(set(people.persons.tolist())):
        rows = [row for row in range(len(tracklets)) if people.persons[row] == person]
        rows.sort(key=lambda row: tracklets.starts[row])
        stays += [
            Stay(person, str(tracklets.cameras[row]), float(tracklets.starts[row]), float(tracklets.ends[row]))
            for row in rows
        ]
        tiles = [_tiles(people, row, out, drawing) for row in rows if people.kept.crops[row]]
        if tiles:
            sheets[person] = f"{SHEETS_FOLDER}/{person:04d}.png"
            contact_sheet(out / sheets[person], tiles)
    for stale in set((out / SHEETS_FOLDER).glob("*.png")) - {out / name for name in sheets.values()}:
        stale.unlink()  # of people who have since joined others
    if stays:
        write_timeline(out / TIMELINE[0], out / TIMELINE[1], stays, sheets)
    else:
        for name in TIMELINE:
            (out / name).unlink(missing_ok=True)


def _tiles(people: People, row: int, out: Path, drawing: Drawing) -> list[tuple[np.ndarray, tuple[str, str]]]:
    tracklets = people.kept.tracklets
    lines = (str(tracklets.cameras[row]), f"track {tracklets.tracks[row]}")
    images = [read_image(str(out / CROPS_FOLDER / name)) for name in people.kept.crops[row]]
    return [(blurred(image, drawing.blur), lines) for image in images]
