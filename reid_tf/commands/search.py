"""Search a gallery by images, by attributes or by both, and write ranked lists: `query: name, name, ...`.

With --query, each of its images ranks the gallery by the run's own distance; with
--attributes beside it, only those gallery images are ranked on which the run sees the
attributes. With --attributes alone, the gallery is ranked by the probability that all
of them hold, and the one line begins with `attributes: `. An --out that ends in .jsonl
gets one JSON object per line instead, which holds file names with ", " or ": " too.
"""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from reid_tf.commands import command_line
from reid_tf.errors import InputError

if TYPE_CHECKING:
    from reid_tf.datasets.attributes.coding import AttributeCoding
    from reid_tf.datasets.record import Record
    from reid_tf.encoder.encoder import Encoder
    from reid_tf.retrieval.embeddings import Embeddings

    Gallery = tuple[Record, ...] | Embeddings

WITHOUT_QUERY = "attributes"  # what a line begins with where no query image names it


@dataclasses.dataclass(frozen=True)
class Found:
    """The results of all searches, best first, with their distances or probabilities."""

    indices: np.ndarray  # int64 [searches, k], into the gallery
    values: np.ndarray  # float [searches, k]


def main() -> None:
    """Parses the command line, searches, and writes what was found."""
    arguments = parse()

    from reid_tf.datasets.image_list import image_ids, list_images
    from reid_tf.pipeline.decode import read_image
    from reid_tf.report.heat import explaining
    from reid_tf.report.picture import write_png
    from reid_tf.report.search_picture import draw_search
    from reid_tf.retrieval.ranked_file import check_names, write_ranked_lists

    queries = list_images(arguments.query) if arguments.query else None
    gallery = list_gallery(arguments.gallery)
    headings = [WITHOUT_QUERY] if queries is None else image_ids([record.path for record in queries])
    names = image_ids(paths_of(gallery))
    check_names(arguments.out, (*headings, *names))
    encoder = command_line.encoder(arguments)
    if queries is None:
        found = search_by_attributes(arguments, encoder, gallery)
    else:
        found = search_by_images(arguments, encoder, queries, gallery)
    lists = {
        heading: [names[index] for index in row] for heading, row in zip(headings, found.indices.tolist(), strict=True)
    }
    write_ranked_lists(arguments.out, lists)
    listed = found.indices.shape[1]
    print(f"Ranked lists: {len(lists):,}, each of {listed} of {len(names):,} gallery images: {arguments.out}")
    if listed < arguments.k:
        print(f"There are only {listed} images to rank, fewer than the {arguments.k} asked for.")
    if arguments.picture:
        query_paths = None if queries is None else tuple(record.path for record in queries)
        explain = explaining(encoder) if arguments.explain else None
        picture = draw_search(paths_of(gallery), found.indices, found.values, read_image, query_paths, explain=explain)
        write_png(arguments.picture, picture)
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
        help="attributes wanted, such as: gender=female upper_colour=red; or in words: woman, red top",
    )
    parser.add_argument("--k", type=command_line.COUNT, default=50, help="images per list (default: %(default)s)")
    command_line.add_reranking(parser)
    command_line.add_output(parser, "--out", required=True, metavar="TXT_OR_JSONL", help="the file to write")
    command_line.add_output(
        parser, "--picture", metavar="PNG", help="also draw the first 10 results of the first 8 lists"
    )
    parser.add_argument(
        "--explain", action="store_true", help="show on each result the places that make it like its query"
    )
    arguments = parser.parse_args()
    if not (arguments.query or arguments.attributes):
        raise InputError(
            f"Search with --query, with --attributes or with both. Received: {arguments.query}, {arguments.attributes}."
        )
    if arguments.explain and not (arguments.query and arguments.picture):
        raise InputError(f"--explain needs --query and --picture. Received: {arguments.query} and {arguments.picture}.")
    if arguments.rerank and not arguments.query:
        raise InputError(f"--rerank needs --query. Received: {arguments.query}.")
    if arguments.attributes and is_archive(arguments.gallery):
        raise InputError(
            f"--attributes needs the gallery's images, as an .npz file holds no attributes. "
            f"Received: {arguments.gallery!r}."
        )
    if arguments.picture and Path(arguments.picture).suffix.lower() != ".png":
        raise InputError(f"--picture must be a .png file. Received: {arguments.picture!r}.")
    return arguments


def search_by_images(
    arguments: argparse.Namespace, encoder: "Encoder", queries: "tuple[Record, ...]", gallery: "Gallery"
) -> Found:
    """Ranks the gallery, or those of its images on which the wanted attributes are seen, for every query image."""
    from reid_tf.encoder.embed import embed
    from reid_tf.retrieval.attribute_filter import attribute_matches
    from reid_tf.retrieval.ranking import rank

    if arguments.attributes:
        embedded, coding, outputs, wanted = gallery_with_attributes(arguments, encoder, gallery)
        ranked = np.flatnonzero(attribute_matches(coding, outputs, wanted))
        if not len(ranked):
            raise InputError(f"None of {len(embedded):,} gallery images shows {in_words(wanted)}.")
        print(f"{len(ranked):,} of {len(embedded):,} gallery images show {in_words(wanted)}.")
    else:
        embedded = embed_gallery(arguments, encoder, gallery)
        ranked = np.arange(len(embedded))
    query = embed(encoder, queries)
    indices, distances = rank(
        query,
        embedded.select(ranked),
        min(arguments.k, len(ranked)),
        encoder.distance,
        command_line.reranking(arguments),
    )
    return Found(ranked[indices], distances)


def search_by_attributes(arguments: argparse.Namespace, encoder: "Encoder", gallery: "Gallery") -> Found:
    """Ranks the gallery by the probability that all wanted attributes hold."""
    from reid_tf.retrieval.attribute_filter import rank_by_attributes

    embedded, coding, outputs, wanted = gallery_with_attributes(arguments, encoder, gallery)
    indices, probabilities = rank_by_attributes(coding, outputs, wanted, min(arguments.k, len(embedded)))
    print(f"The first image shows {in_words(wanted)} with probability {probabilities[0, 0]:.3f}.")
    return Found(indices, probabilities)


def gallery_with_attributes(
    arguments: argparse.Namespace, encoder: "Encoder", gallery: "Gallery"
) -> tuple["Embeddings", "AttributeCoding", np.ndarray, dict[str, str]]:
    """Returns the gallery, how its attribute outputs are read, those outputs, and the attributes wanted of it."""
    from reid_tf.encoder.embed import embed_with_attributes
    from reid_tf.retrieval.attribute_words import wanted_attributes

    coding = command_line.attribute_coding(encoder, arguments)
    wanted = wanted_attributes(arguments.attributes, coding.schema)
    embedded, outputs = embed_with_attributes(encoder, cast("tuple[Record, ...]", gallery))
    return embedded, coding, outputs, wanted


def embed_gallery(arguments: argparse.Namespace, encoder: "Encoder", gallery: "Gallery") -> "Embeddings":
    """Returns the embeddings of a gallery's images, or those that a file holds, where they are of the same encoder."""
    from reid_tf.encoder.embed import embed
    from reid_tf.retrieval.fingerprint import check_same_encoder

    if isinstance(gallery, tuple):
        return embed(encoder, gallery)
    name, run = f"The gallery {arguments.gallery!r}", f"the run {arguments.run!r}"
    check_same_encoder(name, gallery.encoder, run, encoder.fingerprint)
    return gallery


def list_gallery(source: str) -> "Gallery":
    """Returns the images of a gallery, or the embeddings that an .npz file holds of them."""
    from reid_tf.datasets.image_list import list_images
    from reid_tf.retrieval.embeddings import Embeddings

    if not is_archive(source):
        return list_images(source)
    gallery = Embeddings.load(source)
    if not gallery.paths:
        raise InputError(f"{source!r} names none of its {len(gallery)} images, which ranked lists need.")
    return gallery


def is_archive(source: str) -> bool:
    """Whether a gallery is a file of embeddings."""
    return Path(source).suffix.lower() == ".npz"


def paths_of(gallery: "Gallery") -> tuple[str, ...]:
    """Returns the paths of a gallery's images."""
    return tuple(record.path for record in gallery) if isinstance(gallery, tuple) else gallery.paths


def in_words(wanted: dict[str, str]) -> str:
    """Returns wanted attributes as they are given on the command line."""
    return " ".join(f"{group}={answer}" for group, answer in wanted.items())
