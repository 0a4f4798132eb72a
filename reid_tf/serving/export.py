"""A finished run's encoder as files for other programs, each checked against the run before it gets its name."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.checksums import checksums
from reid_tf.config import ExperimentConfig, load_config
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.readers.image_file import MAX_PIXELS
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.exported import EXPORT_FILE, find_export
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.runtimes.base import Arrays
from reid_tf.encoder.verifier import load_verifier
from reid_tf.errors import InputError
from reid_tf.files import claimed, folder_written_beside, write_json
from reid_tf.keras_file import MANIFEST_FILE
from reid_tf.options import unknown, whole_number
from reid_tf.pipeline.build import input_batches
from reid_tf.pipeline.decode import naming_broken_images
from reid_tf.serving.formats.litert import write_litert
from reid_tf.serving.formats.litert_int8 import write_litert_int8
from reid_tf.serving.formats.onnx import write_onnx
from reid_tf.serving.formats.saved_model import write_saved_model
from reid_tf.serving.formats.source import Source
from reid_tf.serving.parity import Parity, compare, default_tolerance, whole_identities
from reid_tf.serving.profiles import contract, with_profile
from reid_tf.serving.served import embed_served
from reid_tf.versions import versions

WRITERS: dict[str, Callable[[Source, Path], dict[str, Any]]] = {
    "savedmodel": write_saved_model,
    "litert": write_litert,
    "litert-int8": write_litert_int8,
    "onnx": write_onnx,
}


@dataclasses.dataclass(frozen=True)
class ExportReport:
    """A finished export.

    Args:
        folder: Path. Holds the exported files and `export.json`; of a SavedModel the
            version folder.
        format: str.
        size: int. Bytes of all files.
        parity: `Parity`. How near it is to the run.
    """

    folder: Path
    format: str
    size: int
    parity: Parity


def export(
    run: str | Path,
    format: str,
    out: str | Path | None = None,
    *,
    profile: str | None = None,
    normalize: bool = False,
    data: str | None = None,
    max_images: int = 1000,
    representative_images: int = 128,
    max_pixels: int = MAX_PIXELS,
    max_difference: float | None = None,
    max_points_lost: float | None = None,
) -> ExportReport:
    """Exports the encoder of a finished run and compares the result with it; the folder appears complete or never.

    Decoding (a SavedModel's), preprocessing and folded batch normalisations are inside,
    and a calibration of the run (`calibration.json`) goes with it. The exported file is
    loaded again through its own runtime, a SavedModel through `serving_default` and the
    bytes of the image files, and embeds images of the run's query and gallery.

    Args:
        run: str or Path. A run directory.
        format: str. "savedmodel", "litert", "litert-int8" or "onnx".
        out: str or Path, or None for `RUN/export/FORMAT`, followed by the profile. Must
            not exist, but for "savedmodel": that is the base path of a served model,
            and each export into it the next version.
        profile: str, or None. Whose input the file is to take, see `with_profile`; it is
            compared with the run's encoder of images of that size.
        normalize: bool. Whether embeddings are scaled to unit length.
        data: str, or None for that of the run. The folder of the data set.
        max_images: int. The most query and gallery images compared, see
            `whole_identities`.
        representative_images: int. Training images, of as many people as there are,
            that "litert-int8" is quantised by.
        max_pixels: int. The most pixels of an image that a SavedModel decodes.
        max_difference: float, or None for that of `default_tolerance`. See
            `Tolerance.difference`.
        max_points_lost: float, or None for that of `default_tolerance`. See
            `Tolerance.points`.

    Returns:
        `ExportReport`.

    Raises:
        InputError: the run is not finished or has no encoder, the data set is missing,
            the format is unknown, not installed, lacks an operation of the encoder or
            has no such profile,
            `out` is taken, or the export is outside the tolerance.
    """
    if format not in WRITERS:
        raise InputError(unknown("format", format, WRITERS))
    run = Path(run)
    out = Path(out) if out is not None else run / "export" / (f"{format}-{profile}" if profile else format)
    shown = representative_images if format == "litert-int8" else 0
    with claimed(out, folder=True):
        folder = _target(out, format)
        source, dataset, config = load_source(run, data, normalize, shown, max_pixels)
        if profile is not None:
            source = with_profile(source, profile, format)
        compared = whole_identities(dataset, max_images)
        tolerance = default_tolerance(format, config.precision)
        if max_difference is not None:
            tolerance = dataclasses.replace(tolerance, difference=max_difference)
        if max_points_lost is not None:
            tolerance = dataclasses.replace(tolerance, points=max_points_lost)
        with folder_written_beside(folder) as beside:
            description = write_export(source, format, beside, run.resolve().name)
            parity = compare(
                source.encoder,
                lambda records: embed_exported(beside, format, records),
                compared,
                config.evaluation.protocol,
                tolerance,
            )
            parity.check(format)
            write_json(beside / EXPORT_FILE, {**description, "parity": parity.to_dict()})
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return ExportReport(folder, format, size, parity)


def load_source(
    run: Path,
    data: str | None = None,
    normalize: bool = False,
    representative_images: int = 128,
    max_pixels: int = MAX_PIXELS,
) -> tuple[Source, ReIDDataset, ExperimentConfig]:
    """Loads what an export of a run is made of and compared with.

    Args:
        run: Path. A run directory.
        data: str, or None for that of the run. The folder of the data set.
        normalize: bool. Whether embeddings are scaled to unit length.
        representative_images: int. Training images that a quantised format is to see.
        max_pixels: int. The most pixels of an image that a SavedModel decodes.

    Returns:
        (`Source`, the run's data set, the run's configuration).

    Raises:
        InputError: the run is not finished, is an export or has no encoder, or the data
            set or an image is missing.
    """
    if find_export(run):
        raise InputError(f"{str(run)!r} is an export already; name the run that it was made from.")
    encoder = load_encoder(run).with_options(normalize=normalize)
    config = load_config(run / "config.yaml")
    dataset = _load_dataset(config, data)
    shown = representative_inputs(encoder, dataset.train, representative_images)
    return Source(encoder, load_verifier(run), max_pixels, shown), dataset, config


def write_export(source: Source, format: str, folder: Path, run: str) -> dict[str, Any]:
    """Writes the files of an export, which is not compared with anything yet.

    Args:
        source: `Source`.
        format: str. A key of `WRITERS`.
        folder: Path. An existing folder, which is empty.
        run: str. Name of the run.

    Returns:
        What `export.json` says.

    Raises:
        InputError: the format is not installed or lacks an operation of the encoder.
    """
    encoder = source.encoder
    description = {
        "format": format,
        **({"profile": source.profile, "input": contract(source.profile)} if source.profile else {}),
        "run": run,
        "encoder": encoder.describe(),
        "calibration": encoder.calibration and encoder.calibration.to_dict(),
        "parity": None,
        **WRITERS[format](source, folder),
        "versions": versions(),
    }
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    description["checksums"] = checksums(folder, [path.relative_to(folder).as_posix() for path in written])
    write_json(folder / EXPORT_FILE, description)
    return description


def representative_inputs(encoder: Encoder, records: Sequence[Record], count: int) -> list[Arrays]:
    """Reads the inputs of some images, one of each identity before a second of any, always the same ones.

    Args:
        encoder: `Encoder`.
        records: sequence of `Record`.
        count: int. How many, at most.

    Returns:
        list of dict from input name to array [1, ...].

    Raises:
        InputError: `count` is negative, an image cannot be read, or lacks landmarks
            that the encoder needs.
    """
    count = whole_number("representative_images", count, least=0)
    seen: Counter[int] = Counter()
    turns = []
    for index in np.random.default_rng(0).permutation(len(records)):
        turns.append((seen[records[index].identity], index))
        seen[records[index].identity] += 1
    chosen = [records[index] for _, index in sorted(turns, key=lambda turn: turn[0])[:count]]  # a stable sort
    if not chosen:
        return []
    with naming_broken_images(record.path for record in chosen):
        return list(input_batches(chosen, encoder.inputs, encoder.image_size, 1).as_numpy_iterator())


def embed_exported(folder: Path, format: str, records: Sequence[Record]) -> np.ndarray:
    """Embeds images as the users of an export will.

    Args:
        folder: Path. Holds the exported files.
        format: str. A key of `WRITERS`.
        records: sequence of `Record`.

    Returns:
        float32 [len(records), dim].

    Raises:
        InputError: an image cannot be read.
    """
    return embed_served(folder, records) if format == "savedmodel" else embed(load_encoder(folder), records).vectors


def _target(out: Path, format: str) -> Path:
    """The folder that the export is to become."""
    if (out / MANIFEST_FILE).exists():
        raise InputError(f"An export needs a folder of its own. Received: {str(out)!r}, a run directory.")
    if format == "savedmodel" and out.is_dir() and not (out / EXPORT_FILE).exists():
        numbers = [int(path.name) for path in out.iterdir() if path.name.isdecimal()]
        return out / str(max(numbers, default=0) + 1)
    if out.exists():
        raise InputError(f"The export folder {str(out)!r} exists already; give another name or remove it.")
    return out / "1" if format == "savedmodel" else out


def _load_dataset(config: ExperimentConfig, data: str | None) -> ReIDDataset:
    options = {**config.dataset, "root": data} if data else config.dataset
    try:
        return load_dataset(**options)
    except InputError as error:
        raise InputError(
            f"An export is compared with its run on the images of {options['name']!r}, whose folder --data names: "
            f"{error}"
        ) from error
