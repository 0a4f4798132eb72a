"""What an installation takes on the disk, and how long one waits for an import or a command's help.

Sizes are those of all packages of the environment that runs this, so take a fresh one.
Each time is the median of processes of their own; a bare interpreter stands beside them.
"""

import argparse
import importlib.metadata
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tqdm import tqdm

from reid_tf.commands import command_line

COMMAND = "from reid_tf.commands.main import main; main()"
STARTS = {
    "the bare interpreter": ["pass"],
    "import reid_tf": ["import reid_tf"],
    "reid-tf --version": [COMMAND, "--version"],
    "reid-tf train --help": [COMMAND, "train", "--help"],
    "reid-tf search --help": [COMMAND, "search", "--help"],
    "import reid_tf.models": ["import reid_tf.models"],
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the number of rounds and of packages to a parser."""
    parser.add_argument(
        "--rounds", type=command_line.COUNT, default=5, metavar="N", help="processes per line (%(default)s)"
    )
    parser.add_argument(
        "--largest", type=command_line.COUNT, default=5, metavar="N", help="packages to name (%(default)s)"
    )


def main(arguments: argparse.Namespace) -> None:
    """Prints the sizes, the largest package first, and the median, the least and the most of each time."""
    sizes = megabytes()
    print(f"{sum(sizes.values()):,.0f} MB in {len(sizes)} packages, of which")
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True)[: arguments.largest]:
        print(f"  {name + ':':24}{sizes[name]:8,.0f} MB")
    taken: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in tqdm(range(arguments.rounds + 1), unit="round", disable=None):
        for name, words in STARTS.items():
            taken[name].append(seconds(words))
    for name, column in taken.items():
        column = column[1:]  # the first one reads the disk
        print(f"{name + ':':26}{statistics.median(column):6.2f} s ({min(column):.2f} to {max(column):.2f})")


def megabytes() -> dict[str, float]:
    """Returns the size of every installed package in MB (10^6 bytes), by its name, compiled Python files included."""
    sizes = {}
    for distribution in importlib.metadata.distributions():
        files = (Path(file.locate()) for file in distribution.files or ())
        sizes[distribution.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    return sizes


def seconds(words: list[str]) -> float:
    """Returns how long `python -c` on these words takes, from the start of its process to the end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", *words], check=True, capture_output=True)
    return time.perf_counter() - started
