"""Runs a command of the package from a checkout, whether it is installed or not."""

import importlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reid_tf.commands import command_line


def command(name: str) -> None:
    """Runs `reid_tf.commands.NAME` on this process' command line.

    Args:
        name: str. The command.
    """
    command_line.run(importlib.import_module(f"reid_tf.commands.{name}").main)
