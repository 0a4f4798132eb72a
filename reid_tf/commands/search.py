"""Search a gallery by images, by attributes or by both, and write ranked lists as text: `query: name, name, ...`.

With --query, each of its images ranks the gallery by the run's own distance; with
--attributes beside it, only those gallery images are ranked on which the run sees the
attributes. With --attributes alone, the gallery is ranked by the probability that all
of them hold, and the one line begins with `attributes: `.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reid_tf.commands import command_line
from reid_tf.errors import InputError

if TYPE_CHECKING:
    from reid_tf.datasets.attributes.coding import AttributeCoding
    from reid_tf.encoder.encoder import Encoder
    from reid_tf.retrieval.embeddings import Embeddings

WITHOUT_QUERY = "attributes"  # what a line begins with where no query image names it


@dataclasses.dataclass(frozen=True)
class Found:
    """The results of all searches: gallery images, best first, with their distances or probabilities."""

    gallery: tuple[str, ...]
    indices: np.ndarray  # int64 [searches, k]
    values: np.ndarray  # float [searches, k]
    queries: tuple[str, ...] | None = None


def main() -> None:
    """Parses the command line, searches, and writes what was found."""
    arguments = parse()
    encoder = command_line.encoder(arguments)
    found = search_by_images(arguments, encoder) if arguments.query else search_by_attributes(arguments, encoder)

    from reid_tf.datasets.image_list import image_ids
    from reid_tf.pipeline.decode import read_image
    from reid_tf.report.picture import write_png
    from reid_tf.report.search_picture import draw_search
    from reid_tf.retrieval.ranked_file import write_ranked_lists

    names = image_ids(found.gallery)
    headings = [WITHOUT_QUERY] if found.queries is None else image_ids(found.queries)
    lists = {
        heading: [names[index] for index in row] for heading, row in zip(headings, found.indices.tolist(), strict=True)
    }
    write_ranked_lists(arguments.out, lists)
    listed = found.indices.shape[1]
    print(f"Ranked lists: {len(lists):,}, each of {listed} of {len(names):,} gallery images: {arguments.out}")
    if listed < arguments.k:
        print(f"There are only {listed} images to rank, fewer than the {arguments.k} asked for.")
    if arguments.picture:
        write_png(arguments.picture, draw_search(found.gallery, found.indices, found.values, read_image, found.queries))
        print(f"picture: {arguments.picture}")


def parse() -> argparse.Namespace:
    """Returns the command line's arguments, with those checked that need no file."""
    parser = command_line.parser(
        __doc__, "reid-tf search --run runs/short --query query/ --gallery gallery/ --out ranked.txt"
    )
    command_line.add_encoder_arguments(parser)
    parser.add_argument("--query", metavar="FOLDER_OR_CSV", help="images to search with")
    parser.add_argument(
        "--gallery",
        required=True,
        metavar="FOLDER_OR_CSV_OR_NPZ",
        help="images to search in, or what reid-tf embed wrote of them with the same run",
    )
    parser.add_argument(
        "--attributes",
        nargs="+",
        action="extend",
        default=[],
        metavar="GROUP=CLASS",
        help="attributes wanted, such as: gender=female upper_colour=red backpack=yes",
    )
    parser.add_argument("--k", type=int, default=50, help="images per list (default: %(default)s)")
    command_line.add_output(parser, "--out", required=True, metavar="TXT", help="the file to write")
    command_line.add_output(
        parser, "--picture", metavar="PNG", help="also draw the first 10 results of the first 8 lists"
    )
    arguments = parser.parse_args()
    if not (arguments.query or arguments.attributes):
        raise InputError(
            f"Search with --query, with --attributes or with both. Received: {arguments.query}, {arguments.attributes}."
        )
    if arguments.k < 1:
        raise InputError(f"--k must be at least 1. Received: {arguments.k}.")
    if arguments.picture and Path(arguments.picture).suffix.lower() != ".png":
        raise InputError(f"--picture must be a .png file. Received: {arguments.picture!r}.")
    return arguments


def search_by_images(arguments: argparse.Namespace, encoder: "Encoder") -> Found:
    """Ranks the gallery, or those of its images on which the wanted attributes are seen, for every query image."""
    from reid_tf.datasets.image_list import list_images
    from reid_tf.encoder.embed import embed
    from reid_tf.retrieval.attribute_filter import attribute_matches
    from reid_tf.retrieval.ranking import rank

    records = list_images(arguments.query)
    if arguments.attributes:
        gallery, coding, outputs, wanted = gallery_with_attributes(arguments, encoder)
        ranked = np.flatnonzero(attribute_matches(coding, outputs, wanted))
        if not len(ranked):
            raise InputError(f"None of {len(gallery):,} gallery images shows {in_words(wanted)}.")
        print(f"{len(ranked):,} of {len(gallery):,} gallery images show {in_words(wanted)}.")
    else:
        gallery = read_gallery(arguments.gallery, encoder)
        ranked = np.arange(len(gallery))
    query = embed(encoder, records)
    indices, distances = rank(query, gallery.select(ranked), min(arguments.k, len(ranked)), encoder.distance)
    return Found(gallery.paths, ranked[indices], distances, query.paths)


def search_by_attributes(arguments: argparse.Namespace, encoder: "Encoder") -> Found:
    """Ranks the gallery by the probability that all wanted attributes hold."""
    from reid_tf.retrieval.attribute_filter import rank_by_attributes

    gallery, coding, outputs, wanted = gallery_with_attributes(arguments, encoder)
    indices, probabilities = rank_by_attributes(coding, outputs, wanted, min(arguments.k, len(gallery)))
    print(f"The first image shows {in_words(wanted)} with probability {probabilities[0, 0]:.3f}.")
    return Found(gallery.paths, indices, probabilities)


def gallery_with_attributes(
    arguments: argparse.Namespace, encoder: "Encoder"
) -> tuple["Embeddings", "AttributeCoding", np.ndarray, dict[str, str]]:
    """Returns the gallery, how its attribute outputs are read, those outputs, and the attributes wanted of it."""
    from reid_tf.datasets.image_list import list_images
    from reid_tf.encoder.embed import embed_with_attributes
    from reid_tf.retrieval.attribute_filter import parse_attributes

    coding = command_line.attribute_coding(encoder, arguments)
    wanted = parse_attributes(arguments.attributes, coding.schema)
    if is_archive(arguments.gallery):
        raise InputError(
            f"--attributes needs the gallery's images, as an .npz file holds no attributes. "
            f"Received: {arguments.gallery!r}."
        )
    gallery, outputs = embed_with_attributes(encoder, list_images(arguments.gallery))
    return gallery, coding, outputs, wanted


def read_gallery(source: str, encoder: "Encoder") -> "Embeddings":
    """Returns the embeddings of a gallery's images, or those that an .npz file holds."""
    from reid_tf.datasets.image_list import list_images
    from reid_tf.encoder.embed import embed
    from reid_tf.retrieval.embeddings import Embeddings

    if not is_archive(source):
        return embed(encoder, list_images(source))
    gallery = Embeddings.load(source)
    if not gallery.paths:
        raise InputError(f"{source!r} names none of its {len(gallery)} images, which ranked lists need.")
    return gallery


def is_archive(source: str) -> bool:
    """Whether a gallery is a file of embeddings."""
    return Path(source).suffix.lower() == ".npz"


def in_words(wanted: dict[str, str]) -> str:
    """Returns wanted attributes as they are given on the command line."""
    return " ".join(f"{group}={answer}" for group, answer in wanted.items())
