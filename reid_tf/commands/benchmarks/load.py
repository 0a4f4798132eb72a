"""How long a program waits for its first embedding, and for those of 200 crops after that.

Each round is a process of its own, so that the first figure holds the start of the
interpreter, the imports, the loading, and whatever the first call makes ready. Crops are
arrays of many sizes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.errors import InputError

PROGRAM = """
import json, sys, time
import numpy as np
import reid_tf
encoder = reid_tf.load_encoder(sys.argv[1])
random = np.random.default_rng(0)
sizes = random.integers((60, 30), (240, 120), (int(sys.argv[2]), 2))
crops = [random.integers(0, 256, (*size, 3), np.uint8) for size in sizes]
encoder(crops[:1])
first = time.time()
encoder(crops)
print(json.dumps([first - float(sys.argv[3]), time.time() - first]))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the encoder and the number of rounds to a parser."""
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run, or an export of any format")
    parser.add_argument(
        "--crops", type=command_line.WHOLE, default=200, metavar="N", help="after the first one (%(default)s)"
    )
    parser.add_argument("--rounds", type=command_line.COUNT, default=3, metavar="N", help="processes (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints the median, the least and the most of both figures."""
    if not Path(arguments.run).is_dir():
        raise InputError(f"--run names a finished run or an export. Received: {arguments.run!r}.")
    rounds = tqdm(range(arguments.rounds), unit="process", disable=None)
    seconds = np.array([measure(arguments.run, arguments.crops) for _ in rounds])
    for name, column in zip(("to the first embedding", f"{arguments.crops} crops then"), seconds.T, strict=True):
        print(f"{name + ':':24}{np.median(column):6.2f} s ({column.min():.2f} to {column.max():.2f})")


def measure(run: str, crops: int) -> tuple[float, float]:
    """Measures one process.

    Args:
        run: str. A run directory or an export folder.
        crops: int. Crops after the first one.

    Returns:
        Seconds from the start of the process to the first embedding, and from there to
        those of all crops.

    Raises:
        InputError: the encoder cannot be loaded.
    """
    root = Path(command_line.__file__).resolve().parents[2]
    command = [sys.executable, "-c", PROGRAM, str(Path(run).resolve()), str(crops), str(time.time())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise InputError(f"{run!r} cannot be used: {done.stderr.strip().splitlines()[-1]}")
    first, then = json.loads(done.stdout.splitlines()[-1])
    return first, then
