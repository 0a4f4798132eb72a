"""Kill a tiny training at random moments, and compare what goes on from there with one that was never killed.

Every kill is a SIGKILL, which a process cannot prepare for. Each training takes as many
as it gets until one of its processes lives to the end; then its weights, the
optimizer's state and the history are compared bit by bit with those of the
uninterrupted one, on one thread, as sums on several are added in any order. A
checkpoint is written at every step, and every other kill waits for a file that is being
written.
"""

import argparse
import io
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import h5py
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.config import ExperimentConfig, parse_config
from reid_tf.errors import InputError
from reid_tf.files import unfinished

RECIPE: dict[str, Any] = {
    "dataset": {"name": "synthetic", "identities": 12, "images_per_identity": 4},
    "image_size": [32, 16],
    "augment": [{"name": "flip"}, {"name": "random_erasing"}],
    "batches": {"name": "images", "batch_size": 8},
    "backbone": {"name": "tiny", "width": 4},
    "model": {"name": "baseline", "embedding_dim": 8, "dropout": 0.2},
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "schedule": {"name": "cosine"},
    "epochs": 3,
    "steps_per_epoch": 4,
    "evaluation": {"ranked_lists": 1},
}
BEFORE, INSIDE, BETWEEN = "before the first checkpoint", "inside an epoch", "between two epochs"
AFTER, WRITING = "after the last epoch", "while a file was written"
PLACES = (BEFORE, INSIDE, BETWEEN, AFTER, WRITING)
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the number of kills and the seed to a parser."""
    parser.add_argument(
        "--kills", type=command_line.COUNT, default=50, metavar="N", help="processes killed (%(default)s)"
    )
    parser.add_argument("--seed", type=command_line.WHOLE, default=0, metavar="N", help="of the moments (%(default)s)")


def main(arguments: argparse.Namespace) -> None:
    """Kills, goes on, compares and prints the counts."""
    with tempfile.TemporaryDirectory() as temporary:
        counts = kill(Path(temporary), arguments.kills, random.Random(arguments.seed))
    print(f"{arguments.kills} processes killed")
    for where in PLACES:
        print(f"  {where + ':':32}{counts[where]:4}")
    print(f"{counts['runs']} runs equal the one that was never killed to the bit, {counts['runs that differ']} do not")
    print(f"{counts['files left over']} files are left over")
    if counts["runs that differ"] or counts["files left over"]:
        raise InputError(f"A killed training must end as one that was never killed. Received: {dict(counts)}.")


def kill(folder: Path, kills: int, moments: random.Random) -> Counter[str]:
    """Runs trainings that are killed, and goes on with them until they are whole.

    Args:
        folder: Path. An empty one.
        kills: int >= 1. How many processes are killed.
        moments: random.Random. Draws when.

    Returns:
        Counter of kills by where they fell, and of runs by how they ended.
    """
    os.environ.update(ONE_THREAD)
    config = parse_config({**RECIPE, "dataset": {**RECIPE["dataset"], "root": str(folder / "cache")}})
    whole = folder / "whole"
    _start(time.sleep, 0).join()  # imports TensorFlow for all that follow
    began = time.monotonic()
    lives(config, whole)
    longest = 1.2 * (time.monotonic() - began)
    counts = Counter(dict.fromkeys(PLACES, 0))
    with tqdm(total=kills, unit="kill", disable=None) as bar:
        killed = 0
        while killed < kills:
            run = folder / str(counts["runs"] + counts["runs that differ"])
            while not (lives(config, run, *_drawn(moments, longest)) if killed < kills else lives(config, run)):
                counts[place(run, config.epochs)] += 1
                killed += 1
                bar.update()
            counts["runs" if contents(run) == contents(whole) else "runs that differ"] += 1
    counts["files left over"] = len([*folder.rglob(".*")])
    return counts


def _drawn(moments: random.Random, longest: float) -> tuple[float, bool]:
    return moments.uniform(0, longest), moments.random() < 0.5


def lives(config: ExperimentConfig, run: Path, seconds: float | None = None, saving: bool = False) -> bool:
    """Trains in a process of its own, from where the one before was killed, and kills it after so many seconds.

    Args:
        config: `ExperimentConfig`.
        run: Path. The run directory.
        seconds: float, or None to let it live.
        saving: bool. Whether the kill then waits for the next file to be written.

    Returns:
        bool. Whether the run is finished.
    """
    from reid_tf.studies.runs import is_interrupted

    process = _start(_train, config, run, is_interrupted(run))
    process.join(seconds)
    while saving and process.is_alive() and not _being_written(run):
        pass
    process.kill()
    process.join()
    if not run.exists() and process.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"The training in {str(run)!r} ended with exit code {process.exitcode}.")
    return run.exists()


def place(run: Path, epochs: int) -> str:
    """Says where a training was when it was killed."""
    state = unfinished(run) / "checkpoints" / "state.json"
    if _being_written(run):
        return WRITING
    if not state.exists():
        return BEFORE
    reached = json.loads(state.read_text())
    return INSIDE if reached["step"] else AFTER if reached["epoch"] == epochs else BETWEEN


def _being_written(run: Path) -> bool:
    work = unfinished(run)
    folders = (folder for folder in (work, work / "checkpoints", work / "report") if folder.is_dir())
    return any(name.startswith((".writing-", ".claim-")) for folder in folders for name in os.listdir(folder))


def contents(run: Path) -> dict[str, bytes]:
    """Returns the bits of the finished model, of the last checkpoint with its optimizer, and the history."""
    found = {"history.csv": (run / "history.csv").read_bytes()}
    with zipfile.ZipFile(run / "model.keras") as archive:
        files = {"model": io.BytesIO(archive.read("model.weights.h5"))}
    for path in run.glob("checkpoints/epoch-*.weights.h5"):
        files[path.name] = io.BytesIO(path.read_bytes())
    for name, content in files.items():
        with h5py.File(content) as file:
            file.visititems(
                lambda key, item, name=name: found.update(
                    {f"{name}/{key}": item[()].tobytes()} if isinstance(item, h5py.Dataset) else {}
                )
            )
    return found


def _start(function: Callable[..., Any], *arguments: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    # Imported once, and nothing of it called; the first one keeps TensorFlow's start quiet.
    context.set_forkserver_preload(["reid_tf.commands.command_line", "reid_tf.training.train"])
    process = context.Process(target=function, args=arguments)
    process.start()
    return process


def _train(config: ExperimentConfig, run: Path, resume: bool) -> None:
    """What the process does that may be killed."""
    import tensorflow as tf

    from reid_tf.training import callbacks
    from reid_tf.training.train import train

    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - to the end of the process
    tf.config.experimental.enable_op_determinism()
    callbacks.MINUTES = 0.0
    train(config, run, resume)
