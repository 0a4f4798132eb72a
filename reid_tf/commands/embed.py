"""Embed the images of a folder, or those that a CSV names, with a run's encoder.

With --engine ray the images may also lie in an object store or be named by a Parquet
file, several processes or machines embed them, and an interrupted command goes on where
it was.
"""

import argparse
import contextlib
from typing import Any

from reid_tf.commands import command_line
from reid_tf.errors import InputError

SHOWN = 10  # of the images that could not be embedded
OF_RAY = ("ray_address", "encoders", "block_size", "gallery")


def main() -> None:
    """Parses the command line and embeds."""
    parser = command_line.parser(__doc__, "reid-tf embed --run runs/short --images crops/ --out crops.npz")
    command_line.add_encoder_arguments(parser)
    parser.add_argument(
        "--images",
        required=True,
        metavar="FOLDER_OR_LIST",
        help="a folder, or a CSV in the csv_table format; with --engine ray also a Parquet file or a URL of these",
    )
    command_line.add_output(
        parser,
        "--out",
        required=True,
        metavar="PATH",
        help="the .npz file to write: vectors, identities, cameras, paths; with --engine ray a folder of Parquet files",
    )
    parser.add_argument("--engine", choices=("plain", "ray"), default="plain", help="who embeds (%(default)s)")
    group = parser.add_argument_group("Ray (pip install 'reid_tf[ray]')")
    group.add_argument("--ray-address", metavar="ADDRESS", help="of a running cluster; without it, this machine")
    group.add_argument("--encoders", type=command_line.COUNT, metavar="N", help="processes (one per machine or GPU)")
    group.add_argument("--block-size", type=command_line.COUNT, metavar="N", help="images per file (32768)")
    group.add_argument("--gallery", metavar="DIR_OR_URL", help="also add the vectors to a gallery")
    arguments = parser.parse_args()
    given = {name: getattr(arguments, name) for name in OF_RAY if getattr(arguments, name) is not None}
    if arguments.engine == "ray":
        _on_ray(arguments, given)
        return
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
        raise InputError(f"These belong to --engine ray. Received: {flags} without it.")
    from reid_tf.datasets.image_list import list_images
    from reid_tf.encoder.embed import embed

    records = list_images(arguments.images)
    embeddings = embed(command_line.encoder(arguments), records)
    embeddings.save(arguments.out)
    print(f"{len(embeddings.paths)} embeddings of {embeddings.vectors.shape[1]} dimensions: {arguments.out}")


def _on_ray(arguments: argparse.Namespace, given: dict[str, Any]) -> None:
    from reid_tf.encoder.fleet.places import images_at
    from reid_tf.encoder.fleet.ray_engine import embed_on_ray, opener

    options: dict[str, Any] = {name: given[name] for name in ("encoders", "block_size") if name in given}
    with contextlib.ExitStack() as stack:
        if arguments.gallery:
            from reid_tf.gallery import Gallery

            gallery = stack.enter_context(Gallery(arguments.gallery, command_line.encoder(arguments)))
            options["each"] = gallery.add
        stack.enter_context(command_line.going_on(lambda: f"go on with: {command_line.this_command()}"))
        made = embed_on_ray(
            opener(arguments.run, command_line.detector(arguments), arguments.flip),
            images_at(arguments.images),
            arguments.out,
            address=arguments.ray_address,
            **options,
        )
    for path, reason in list(made.refused.items())[:SHOWN]:
        print(f"not embedded: {path}: {reason}")
    if len(made.refused) > SHOWN:
        print(f"... and {len(made.refused) - SHOWN} more")
    print(f"{made.count} embeddings of {made.dim} dimensions: {made.folder}")
