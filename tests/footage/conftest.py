import cv2
import numpy as np
import pytest

from tests.commands.made_run import colour_encoder
from tests.datasets.made_video import WALKERS, box, write_frames, write_video

RATE = 10


@pytest.fixture(scope="session")
def encoder():
    """Mean colours as vectors."""
    return colour_encoder().with_options(distance="cosine")


def mot_lines(tracks=WALKERS, first=1):
    """The walkers' boxes as MOT Challenge's text."""
    lines = []
    for track in tracks:
        for number in range(WALKERS[track][2], WALKERS[track][3] + 1):
            left, top, right, bottom = box(track, number)
            lines.append(f"{number + first},{track},{left},{top},{right - left},{bottom - top},1,-1,-1\n")
    return lines


@pytest.fixture
def footage(tmp_path):
    """Two cameras with the same walkers, one as a video and one as a folder of frames, ten seconds later."""
    for name, write in (("door", write_video), ("yard", write_frames)):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
        (tmp_path / f"{name}.txt").write_text("".join(mot_lines()))
    (tmp_path / "cameras.csv").write_text(
        "camera,video,boxes,start,rate\n"
        f"door,door/TownCentreXVID.avi,door.txt,2026-05-01T10:00:00+02:00,{RATE}\n"
        f"yard,yard/frames,yard.txt,2026-05-01T08:00:10Z,{RATE}\n"
    )
    return tmp_path / "cameras.csv"


def picture(path):
    return cv2.imread(str(path))


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)
