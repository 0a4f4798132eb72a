"""Tools, run as a user runs them."""

import logging
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(autouse=True)
def quiet_again():
    """Benchmarks silence loggers for the rest of their process, which goes on here."""
    levels = {name: logging.getLogger(name).level for name in ("reid_tf", "tensorflow", "tf2onnx")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def run(monkeypatch, capsys):
    """A function that runs a tool in this process, since a new one would import TensorFlow again each time."""
    monkeypatch.syspath_prepend(TOOLS)

    def run_tool(tool, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{tool}.py", *map(str, arguments)])
        returncode = 0
        try:
            runpy.run_path(str(TOOLS / f"{tool}.py"), run_name="__main__")
        except SystemExit as end:
            returncode = end.code or 0
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=returncode, stdout=out, stderr=err)

    return run_tool
