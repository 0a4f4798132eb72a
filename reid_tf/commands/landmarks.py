"""Find the body landmarks of a data set or of a folder of images, once, and keep them beside the images.

An interrupted run goes on where it was, and only images that have no landmarks yet are
looked at. Without --detector, the landmarks that are there are drawn (--preview) or
compared with others (--compare).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.commands import command_line
from reid_tf.datasets.image_list import list_images
from reid_tf.datasets.landmarks import LANDMARKS_FILE, read_landmarks, relative_path
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError
from reid_tf.files import claimed
from reid_tf.progress import progress_bar

DRAWN = 8


def main() -> None:
    """Parses the command line, finds what is missing and prints what there is."""
    parser = command_line.parser(
        __doc__,
        "reid-tf landmarks --detector movenet --detector-option model_file=movenet.tflite "
        "--images crops/ --preview crops.png",
    )
    command_line.add_detector_arguments(parser, "finds what the file lacks")
    command_line.add_dataset_arguments(parser, default=None)
    parser.add_argument("--images", metavar="FOLDER_OR_CSV", help="a folder, or a CSV, instead of a data set")
    command_line.add_output(
        parser, "--out", metavar="NPZ", help="the landmark file (default: landmarks.npz beside the images)"
    )
    parser.add_argument("--overwrite", action="store_true", help="discard the landmarks in the file and find all again")
    command_line.add_output(
        parser, "--preview", metavar="PNG", help="draw some images with landmarks, body parts and stripes"
    )
    parser.add_argument("--compare", metavar="NPZ", help="a landmark file taken as true: print the agreement")
    arguments = parser.parse_args()
    if not (arguments.detector or arguments.preview or arguments.compare):
        raise InputError(f"Give --detector, --preview or --compare. Received: detector={arguments.detector}.")
    detector = command_line.detector(arguments)
    records, root = images(arguments)
    path = Path(arguments.out or root / LANDMARKS_FILE)
    if detector:
        with claimed(path), command_line.going_on(lambda: f"go on with: {command_line.this_command()}"):
            landmarks = find(detector, arguments.overwrite, records, root, path)
    else:
        landmarks = read_landmarks(path)
    located = {
        record.path: landmarks[name] for record in records if (name := relative_path(record.path, root)) in landmarks
    }
    if not located:
        raise InputError(f"{str(path)!r} has landmarks of none of the {len(records):,} images in {str(root)!r}.")
    print_summary(np.stack(list(located.values())), path)
    if arguments.compare:
        print_agreement(located, root, arguments.compare)
    if arguments.preview:
        draw(located, arguments.preview)


def images(arguments: argparse.Namespace) -> tuple[list[Record], Path]:
    """Returns the images that the arguments name, each once, and the folder that their paths are relative to."""
    if bool(arguments.images) == bool(arguments.dataset):
        raise InputError(
            f"Give --dataset or --images. Received: dataset={arguments.dataset}, images={arguments.images}."
        )
    if arguments.images:
        source = Path(arguments.images)
        found: Sequence[Record] = list_images(source)
        root: str | Path | None = source.parent if source.is_file() else source
    else:
        dataset = load_dataset(arguments.dataset, arguments.data, **command_line.dataset_options(arguments))
        found = [record for split in dataset.splits().values() for record in split]
        root = dataset.root
    if root is None:
        raise InputError(
            f"The data set {arguments.dataset!r} keeps its landmarks itself; find those of the data set that it was "
            "prepared from, and prepare it again."
        )
    return list({record.path: record for record in found}.values()), Path(root)


def find(
    component: dict[str, Any], overwrite: bool, records: Sequence[Record], root: Path, path: Path
) -> dict[str, np.ndarray]:
    """Finds the landmarks that are missing, and returns all by relative path."""
    from reid_tf.pipeline.detect import detect_landmarks
    from reid_tf.pose.landmark_cache import LandmarkCache
    from reid_tf.registry import DETECTORS

    detector = DETECTORS.build(component)
    cache = LandmarkCache(path, detector.description, overwrite)
    missing = [record for record in records if relative_path(record.path, root) not in cache.landmarks]
    if len(missing) < len(records):
        print(f"{len(records) - len(missing):,} of {len(records):,} images have landmarks of this detector already.")
    if missing or cache.unfinished.exists():
        with cache:
            found = detect_landmarks(detector, missing)
            bar = progress_bar(missing, what="finding landmarks of", unit="image", total=len(missing))
            for record, landmarks in zip(bar, found, strict=True):
                cache.add(relative_path(record.path, root), landmarks)
    return cache.landmarks


def print_summary(landmarks: np.ndarray, path: Path) -> None:
    """Prints the mean confidence of each joint and how many parts have no box of their own."""
    from reid_tf.datasets.joint_orders import JOINTS
    from reid_tf.pose.part_boxes import describe_regions

    print(f"Landmarks of {len(landmarks):,} images: {path}\n\n{'joint':<16} {'mean confidence':>15}")
    for joint, confidence in zip(JOINTS, landmarks[..., 2].mean(axis=0), strict=True):
        print(f"{joint.replace('_', ' '):<16} {confidence:>15.2f}")
    print(f"\npart boxes: {describe_regions(landmarks)}")


def print_agreement(located: dict[str, np.ndarray], root: Path, other: str) -> None:
    """Prints the PCK of the landmarks, where another file's are the true ones."""
    from reid_tf.datasets.joint_orders import JOINTS
    from reid_tf.pose.image_sizes import image_size
    from reid_tf.pose.landmark_metrics import landmark_metrics

    true = read_landmarks(other)
    pairs = [
        (image_size(path)[::-1], found, true[name])
        for path, found in located.items()
        if (name := relative_path(path, root)) in true
    ]
    if not pairs:
        first = next(iter(true), None)
        raise InputError(f"{other!r} has landmarks of none of these images: its first path is {first!r}.")
    sizes, predicted, wanted = map(np.stack, zip(*pairs, strict=True))
    metrics = landmark_metrics(predicted, wanted, sizes)
    print(f"\n{'joint':<16} {'PCK@0.2':>15}")
    for joint, share in zip(JOINTS, metrics.per_joint, strict=True):
        print(f"{joint.replace('_', ' '):<16} {'-' if np.isnan(share) else f'{share:.3f}':>15}")
    print(f"{'mean':<16} {metrics.mean:>15.3f}")
    print(f"{metrics.images:,} images compared with {other}, {metrics.skipped:,} without a visible torso left out.")


def draw(located: dict[str, np.ndarray], out: str) -> None:
    """Draws some images, the same ones every time."""
    from reid_tf.report.landmark_picture import draw_parts
    from reid_tf.report.picture import write_png

    paths = list(located)
    chosen = [paths[index] for index in np.random.default_rng(0).permutation(len(paths))[:DRAWN]]
    write_png(out, draw_parts(chosen, np.stack([located[path] for path in chosen])))
    print(f"\nDrew {len(chosen)} images into {out}")
