"""Fixtures that several rooms' tests share."""

import os
import signal
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow
if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes wait for each other, and take much longer
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell's background job: what is started here would too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, or a skip that says how to name one."""
    folder = os.environ.get("REID_TF_DATA")
    if not folder:
        pytest.skip("REID_TF_DATA is not set: it names the folder that holds the real images.")
    return Path(folder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the files that take longest, so that no process is left alone with one of them at the end."""
    longest = ("test_jax_backend.py", "test_end_to_end.py", "test_replicas.py", "test_pose_tools.py")
    items.sort(key=lambda item: longest.index(item.path.name) if item.path.name in longest else len(longest))
