"""What every tool shares: one parser style, one way to report what the user got wrong."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before the first import of TensorFlow, which reads it
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout works without installing it

from reid_tf.errors import InputError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def parser(description: str, example: str) -> argparse.ArgumentParser:
    """Returns an argument parser whose help ends with an example that works."""
    return argparse.ArgumentParser(
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_dataset_arguments(arguments: argparse.ArgumentParser) -> None:
    """Adds `--dataset NAME`, `--data ROOT` and `--option KEY=VALUE`."""
    arguments.add_argument("--dataset", default="synthetic", metavar="NAME", help="registered data set (synthetic)")
    arguments.add_argument("--data", metavar="ROOT", help="the folder that holds the data set")
    arguments.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the data set, as in a configuration's `dataset:`; repeatable",
    )


def run(main: Callable[[], None]) -> None:
    """Runs a tool: an `InputError` becomes one line on standard error and exit code 2."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        main()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
