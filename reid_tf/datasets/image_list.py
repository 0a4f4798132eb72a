"""Images to describe or to search in, of which nobody says who they show: a folder, or a CSV that names them."""

import os
from collections.abc import Sequence
from pathlib import Path

from reid_tf.datasets.csv_table import csv_table
from reid_tf.datasets.landmarks import add_landmarks_to_records
from reid_tf.datasets.readers.folders import image_names
from reid_tf.datasets.readers.image_file import IMAGE_SUFFIXES
from reid_tf.datasets.record import Record
from reid_tf.errors import InputError


def list_images(source: str | Path) -> tuple[Record, ...]:
    """Lists the images of a folder and its subfolders, sorted by path, or those of a CSV in its splits' order.

    Links to folders are followed. Hidden files and folders are passed over, and so are
    files of other types, of which the log says how many there are. A file
    `landmarks.npz` in the folder gives the images their landmarks.

    Args:
        source: str or Path. A folder, or a CSV file as the data set `csv_table` reads
            it.

    Returns:
        tuple of `Record`; those of a folder have identity and camera -1.

    Raises:
        InputError: nothing is there, it holds no images, or the CSV file or the
            landmark file is wrong.
    """
    source = Path(source)
    if source.is_file():
        records = [record for split in csv_table(str(source)).splits().values() for record in split]
    elif source.is_dir():
        names = image_names(source, subfolders=True)
        records = [Record(str(source / name), identity=-1, camera=-1) for name in names]
    else:
        raise InputError(
            f"Images to read must be a folder or a CSV file. Received: {str(source)!r}, which does not exist."
        )
    if not records:
        raise InputError(f"There are no images ({', '.join(IMAGE_SUFFIXES)}) in {str(source)!r}.")
    return tuple(records) if source.is_file() else add_landmarks_to_records(records, source)


def image_ids(paths: Sequence[str]) -> list[str]:
    """Names images as result files do: by file name, with its folder where the images lie in several.

    Args:
        paths: sequence of str. Paths of images.

    Returns:
        list of str: each path from the folder that holds all of them on, with "/"
        between its parts.
    """
    absolute = [os.path.abspath(path) for path in paths]
    folders = {os.path.dirname(path) for path in absolute}
    if len(folders) <= 1:
        return [os.path.basename(path) for path in absolute]
    common = os.path.commonpath(folders)
    return [Path(os.path.relpath(path, common)).as_posix() for path in absolute]
