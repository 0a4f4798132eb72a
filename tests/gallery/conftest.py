import importlib.util

import numpy as np
import pytest

from reid_tf.gallery import Gallery
from tests.commands.made_run import colour_encoder, write_image

collect_ignore_glob = [] if importlib.util.find_spec("milvus_lite") else ["test_*.py"]  # the extra [gallery]
collect_ignore = (
    [] if importlib.util.find_spec("gradio") and importlib.util.find_spec("playwright") else ["test_page.py"]
)

COLOURS = {
    "red": (200, 20, 20),
    "rose": (240, 80, 80),
    "wine": (90, 0, 9),
    "green": (20, 180, 10),
    "blue": (10, 20, 200),
}


@pytest.fixture(scope="session")
def encoder():
    """Mean colours as vectors, compared by the cosine; and whether an image is bright, and its colour."""
    return colour_encoder().with_options(distance="cosine")


@pytest.fixture
def crops(tmp_path):
    for name, colour in COLOURS.items():
        write_image(tmp_path / "crops" / f"{name}.png", *colour)
    return tmp_path / "crops"


@pytest.fixture
def gallery(tmp_path, encoder):
    with Gallery(tmp_path / "seen", encoder) as opened:
        yield opened


def image(*colour):
    return np.full((16, 8, 3), colour, np.uint8)


def names(results):
    return [result.entry.path.rpartition("/")[2].partition(".")[0] for result in results]
