"""Latency of one crop and speed of batches for one encoder in every format that it is exported to.

The rows take turns, so that whatever else the machine does meets each of them, and
every ratio is between neighbours in time: how many times as fast as the SavedModel that
takes decoded images. Images have the encoder's size already; "from files" is the same
SavedModel on JPEG bytes. All kernels use every core. With --run, each format is judged
on the run's query and gallery too; without, a backbone with random weights and global
average pooling is measured.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.step import take_turns
from reid_tf.datasets.readers.image_file import MAX_PIXELS
from reid_tf.errors import InputError

if TYPE_CHECKING:
    from reid_tf.config import ExperimentConfig
    from reid_tf.datasets.record import ReIDDataset
    from reid_tf.encoder.encoder import Encoder
    from reid_tf.serving.formats.source import Source

FORMATS = {
    "SavedModel": "savedmodel",
    "LiteRT, float32": "litert",
    "LiteRT, int8": "litert-int8",
    "ONNX Runtime": "onnx",
}
FROM_FILES = "SavedModel, from files"
COLUMNS = ("", "one crop, p50 ms", "p99 ms", "ratio", "batch, images/s", "ratio", "range", "MB")
CALLS_A_TURN = 5

Step = Callable[[], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the encoder and the lengths of the measurement to a parser."""
    parser.add_argument("--run", metavar="DIR", help="a finished run; without it, --backbone with random weights")
    command_line.add_data_argument(parser)
    parser.add_argument("--backbone", default="tiny", metavar="NAME", help="registered backbone (%(default)s)")
    parser.add_argument(
        "--image-size", type=command_line.COUNT, nargs=2, default=[256, 128], metavar=("H", "W"), help="(256 128)"
    )
    parser.add_argument("--batch", type=command_line.COUNT, default=32, help="images per batch (%(default)s)")
    parser.add_argument("--rounds", type=command_line.COUNT, default=40, help="turns of every row (%(default)s)")
    parser.add_argument(
        "--max-images", type=command_line.COUNT, default=1000, help="images that mAP is measured on (%(default)s)"
    )


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table."""
    logging.getLogger("reid_tf").setLevel(logging.WARNING)
    from reid_tf.retrieval.threads import cores
    from reid_tf.serving.export import load_source, write_export

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells how it names weights in a SavedModel
    loaded = load_source(Path(arguments.run), arguments.data) if arguments.run else None
    source = loaded[0] if loaded else random_source(arguments.backbone, tuple(arguments.image_size))
    with tempfile.TemporaryDirectory() as temporary:
        folders = {row: Path(temporary) / kind for row, kind in FORMATS.items()}
        for row, kind in tqdm(FORMATS.items(), desc="exporting", unit="format", disable=None):
            folders[row].mkdir()
            write_export(source, kind, folders[row], run="benchmark")
        cells = speeds(folders, source, arguments.batch, arguments.rounds)
        columns: Sequence[str] = COLUMNS
        if loaded:
            columns = (*COLUMNS, "mAP, %")
            judged = precision(folders, source.encoder, *loaded[1:], arguments.max_images)
            print(f"mAP of the run itself: {judged['run']} %")
            cells = {row: [*of_row, judged.get(row, "")] for row, of_row in cells.items()}
    height, width = source.encoder.image_size
    what = arguments.run or f"{arguments.backbone} with random weights"
    print(f"{what}, {height} x {width}, batches of {arguments.batch}, {cores()} cores\n")
    for line in (columns, ["---"] * len(columns), *([row, *rest] for row, rest in cells.items())):
        print(f"| {' | '.join(line)} |")


def random_source(backbone: str, image_size: tuple[int, int]) -> "Source":
    """Builds an encoder with random weights.

    Args:
        backbone: str. Registered name.
        image_size: (int, int). Height and width of its images.

    Returns:
        `Source`, its representative inputs smooth random pictures.
    """
    import cv2
    import keras

    from reid_tf.encoder.encoder import Encoder
    from reid_tf.models.embedding import build_encoder
    from reid_tf.registry import BACKBONES
    from reid_tf.serving.formats.source import Source

    keras.utils.set_random_seed(0)
    model = build_encoder(BACKBONES.build({"name": backbone}, image_size=image_size))
    coarse = np.random.default_rng(0).integers(0, 256, (32, 8, 4, 3), np.uint8)
    pictures = [cv2.resize(one, image_size[::-1], interpolation=cv2.INTER_CUBIC) for one in coarse]
    inputs = [{"image": picture[np.newaxis]} for picture in pictures]
    return Source(Encoder(model, {"image": "image"}, image_size).folded(), None, MAX_PIXELS, inputs)


def speeds(folders: Mapping[str, Path], source: "Source", batch: int, rounds: int) -> dict[str, list[str]]:
    """Measures every format.

    Args:
        folders: mapping from row to the folder of its export.
        source: `Source` that they were made of.
        batch: int. Images per batch.
        rounds: int. Turns of each.

    Returns:
        dict from row to the cells of `COLUMNS` after it.
    """
    rows = steps(folders, source, batch)
    seconds = latencies([one for one, _ in rows.values()], rounds)
    of_batches = take_turns([many for _, many in rows.values()], rounds, 1)
    cells = {}
    for row, (one, many) in zip(rows, zip(seconds, of_batches, strict=True), strict=True):
        middle = np.median(seconds[0], axis=1) / np.median(one, axis=1)  # of the turns
        ratios = of_batches[0] / many
        size = sum(path.stat().st_size for path in folders.get(row, folders["SavedModel"]).rglob("*") if path.is_file())
        cells[row] = [
            f"{1e3 * np.median(one):.2f}",
            f"{1e3 * np.quantile(one, 0.99):.2f}",
            f"{np.median(middle):.2f}",
            f"{batch / np.median(many):.0f}",
            f"{np.median(ratios):.2f}",
            f"{ratios.min():.2f} to {ratios.max():.2f}",
            f"{size / 1e6:.2f}",
        ]
    return cells


def steps(folders: Mapping[str, Path], source: "Source", batch: int) -> dict[str, tuple[Step, Step]]:
    """Loads every format.

    Args:
        folders: mapping from row to the folder of its export.
        source: `Source`. Its representative inputs are what is embedded.
        batch: int. Images per batch.

    Returns:
        dict from row to two functions without arguments: one embeds one image, the
        other a batch.
    """
    import tensorflow as tf

    from reid_tf.encoder.load import load_encoder
    from reid_tf.pose.fields import need_landmarks

    if need_landmarks(source.encoder.inputs.values()):
        raise InputError(f"The encoder takes images alone. Received: {source.encoder.inputs}.")
    shown = [inputs["image"][0] for inputs in source.representative]
    images = np.stack([shown[index % len(shown)] for index in range(batch)])
    made: dict[str, tuple[Step, Step]] = {}
    for row, folder in folders.items():
        runtime = load_encoder(folder).runtime
        one, many = ({"image": values} for values in (images[:1], images))
        made[row] = partial(runtime, one, ("embedding",)), partial(runtime, many, ("embedding",))
    files = [tf.io.encode_jpeg(image).numpy() for image in images]
    served = tf.saved_model.load(str(folders["SavedModel"]))

    def embed_files(encoded: list[bytes]) -> np.ndarray:
        return served.signatures["serving_default"](image=tf.constant(encoded))["embedding"].numpy()

    made[FROM_FILES] = partial(embed_files, files[:1]), partial(embed_files, files)
    return made


def precision(
    folders: Mapping[str, Path], run: "Encoder", dataset: "ReIDDataset", config: "ExperimentConfig", max_images: int
) -> dict[str, str]:
    """Judges every format on the run's own query and gallery.

    Args:
        folders: mapping from row to the folder of its export.
        run: `Encoder` that they were made of.
        dataset: `ReIDDataset` of the run.
        config: `ExperimentConfig` of the run.
        max_images: int. The most images.

    Returns:
        dict from row, and from "run", to mAP in per cent.
    """
    from reid_tf.encoder.embed import embed
    from reid_tf.encoder.load import load_encoder
    from reid_tf.retrieval.metrics import evaluate
    from reid_tf.serving.parity import whole_identities

    compared = whole_identities(dataset, max_images)
    found = {}
    for row, encoder in [("run", run), *((row, load_encoder(folder)) for row, folder in folders.items())]:
        query, gallery = (embed(encoder, records, verbose=0) for records in (compared.query, compared.gallery))
        metrics = evaluate(query, gallery, encoder.distance, protocol=config.evaluation.protocol)
        found[row] = f"{100 * metrics.mean_average_precision:.2f}"
    return found


def latencies(rows: Sequence[Step], rounds: int) -> np.ndarray:
    """Times single calls, a few of each in every turn, after one that does not count.

    Args:
        rows: sequence of functions.
        rounds: int. Turns of each.

    Returns:
        float64 [functions, rounds, calls]: seconds.
    """
    seconds = np.zeros((len(rows), rounds, CALLS_A_TURN))
    for turn in tqdm(range(rounds), desc="one crop", unit="turn", disable=None, file=sys.stderr):
        for row, step in enumerate(rows):
            step()
            for call in range(CALLS_A_TURN):
                started = time.perf_counter()
                step()
                seconds[row, turn, call] = time.perf_counter() - started
    return seconds
