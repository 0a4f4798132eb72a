"""Fixtures that several rooms' tests share."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, or a skip that says how to name one."""
    folder = os.environ.get("REID_TF_DATA")
    if not folder:
        pytest.skip("REID_TF_DATA is not set: it names the folder that holds the real images.")
    return Path(folder)
