"""People in footage as pictures: a contact sheet of each, and who was where and when."""

import datetime
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from reid_tf.files import written_beside
from reid_tf.report.picture import captioned, letterbox, sheet, write_png

HALF = 0.36  # of a bar's height, in rows of the timeline
LONG = 6  # crops of a row of a contact sheet, unless a tracklet has more


def contact_sheet(path: str | Path, rows: Sequence[Sequence[tuple[np.ndarray, Sequence[str]]]]) -> None:
    """Draws the crops of one person, tracklet after tracklet; short ones share a row.

    Args:
        path: str or Path. Of the PNG file.
        rows: sequences of uint8 [H, W, 3], RGB, and the lines beneath it; one for each
            tracklet.
    """
    most = max([LONG, *map(len, rows)])
    packed: list[list[tuple[np.ndarray, Sequence[str]]]] = [[]]
    for row in rows:
        if len(packed[-1]) + len(row) > most:
            packed.append([])
        packed[-1] += row
    write_png(path, sheet([[captioned(letterbox(image), lines) for image, lines in row] for row in packed]))


class Stay:
    """Somebody's time before one camera.

    Args:
        person: int.
        camera: str.
        start: float. Seconds since 1970.
        end: float.
    """

    def __init__(self, person: int, camera: str, start: float, end: float) -> None:
        self.person, self.camera, self.start, self.end = person, camera, start, end


def timeline(stays: Sequence[Stay]) -> Figure:
    """Draws who was before which camera when: a row for each camera, a bar for each stay, a colour for each person.

    Args:
        stays: sequence of `Stay`, at least one.

    Returns:
        matplotlib.figure.Figure.
    """
    cameras = sorted({stay.camera for stay in stays})
    lanes = _lanes(stays)
    heights = {camera: 1 + max(lanes[stay] for stay in stays if stay.camera == camera) for camera in cameras}
    bases = dict(zip(cameras, np.cumsum([0, *heights.values()]).tolist(), strict=False))
    total = sum(heights.values())
    figure = Figure(figsize=(11, 1.2 + 0.32 * total), layout="constrained")
    axes = figure.subplots()
    palette = colormaps["tab20"]
    for stay in stays:
        start, end = (date2num(datetime.datetime.fromtimestamp(at, datetime.UTC)) for at in (stay.start, stay.end))
        row = bases[stay.camera] + lanes[stay]
        axes.broken_barh([(start, max(end - start, 1e-6))], (row - HALF, 2 * HALF), color=palette(stay.person % 20))
        axes.text(start, row, f" {stay.person}", va="center", ha="left", fontsize=8, clip_on=True)
    axes.set_yticks([bases[camera] + (heights[camera] - 1) / 2 for camera in cameras], cameras)
    for camera in cameras[1:]:
        axes.axhline(bases[camera] - 0.5, color="0.8", linewidth=0.8)
    axes.set_ylim(total - 0.5, -0.5)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_title("Who was before which camera, and when (UTC); a number and a colour for each person")
    return figure


def _lanes(stays: Sequence[Stay]) -> dict[Stay, int]:
    """A lane within the camera's row for each stay, so that no two bars overlap."""
    lanes: dict[Stay, int] = {}
    free: dict[str, list[float]] = {}
    for stay in sorted(stays, key=lambda stay: stay.start):
        ends = free.setdefault(stay.camera, [])
        lane = next((number for number, end in enumerate(ends) if end < stay.start), len(ends))
        ends[lane : lane + 1] = [stay.end]
        lanes[stay] = lane
    return lanes


def write_timeline(png: str | Path, page: str | Path, stays: Sequence[Stay], sheets: Mapping[int, str]) -> None:
    """Writes the timeline as a picture, and as a page with a link to everybody's contact sheet.

    Args:
        png: str or Path.
        page: str or Path. Of the HTML file; it needs nothing from elsewhere.
        stays: sequence of `Stay`.
        sheets: mapping from person to the sheet's file, relative to the page.
    """
    figure = timeline(stays)
    with written_beside(png) as beside:
        figure.savefig(beside, dpi=120)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    svg = drawn.getvalue()
    rows = []
    for person in sorted({stay.person for stay in stays}):
        where = " &rarr; ".join(
            f"{html.escape(stay.camera)} {_clock(stay.start)}&ndash;{_clock(stay.end)}"
            for stay in sorted((stay for stay in stays if stay.person == person), key=lambda stay: stay.start)
        )
        link = f'<a href="{html.escape(sheets[person])}">{person}</a>' if person in sheets else str(person)
        rows.append(f"<tr><td>{link}</td><td>{where}</td></tr>")
    with written_beside(page) as beside:
        beside.write_text(
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Who was where</title>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<style>body{font-family:system-ui,sans-serif;margin:1rem}svg{max-width:100%;height:auto}"
            "td{padding:.2rem .6rem;vertical-align:top}</style></head>\n<body><h1>Who was where</h1>\n"
            f"{svg[svg.index('<svg') :]}\n<table><thead><tr><th>person</th><th>where, UTC</th></tr></thead><tbody>\n"
            + "\n".join(rows)
            + "\n</tbody></table></body></html>\n",
            encoding="utf-8",
        )


def _clock(second: float) -> str:
    return f"{datetime.datetime.fromtimestamp(second, datetime.UTC):%H:%M:%S}"
