"""Keep what cameras saw: add images to a gallery, search it by picture, words and time, delete from it.

A gallery is a folder of this machine, or http://host:19530 for a Milvus server. Of each
image it keeps the vector of the run's encoder, path, camera, time, track, person,
quality, the attributes seen, and a note; never pixels. Times need a zone:
2026-05-01T08:30:00+02:00. REID_TF_API_KEY is the key that `serve` asks for, if any.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from reid_tf.commands import command_line
from reid_tf.errors import InputError, require_package
from reid_tf.options import Within

if TYPE_CHECKING:
    from reid_tf.gallery import Gallery, Result

API_KEY_VARIABLE = "REID_TF_API_KEY"
FILTERS = ("camera", "not_camera", "since", "until", "person", "track")


def main() -> None:
    """Parses the command line and does what its first word says."""
    parser = command_line.parser(
        __doc__, "reid-tf gallery add --gallery seen --run runs/short --images crops/ --camera door"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    for name, (action, add_arguments) in ACTIONS.items():
        subparser = actions.add_parser(name, help=action.__doc__, description=action.__doc__)
        add_gallery(subparser)
        subparser.add_argument("--json", action="store_true", help="answer in JSON, for programs")
        add_arguments(subparser)
    arguments = parser.parse_args()
    values, text = ACTIONS[arguments.action][0](arguments)
    print(json.dumps(values, ensure_ascii=False) if arguments.json else text)


Answer = tuple[Any, str]  # as JSON values, and as text


def add(arguments: argparse.Namespace) -> Answer:
    """Embed and add images; those that are there already are passed over."""
    from tqdm import tqdm

    from reid_tf.gallery import Added
    from reid_tf.gallery.sighting import KNOWN, sightings

    known = {name: value for name in KNOWN if (value := getattr(arguments, name)) is not None}
    added = Added()
    with opened(arguments) as gallery:
        total = sum(1 for _ in sightings(arguments.images))
        with tqdm(total=total, unit="image", disable=None) as bar:
            for added in gallery.add_in_batches(arguments.images, **known):
                bar.update(added.added + added.known + len(added.refused) - bar.n)
        if arguments.index:
            gallery.index()
        rows = len(gallery)
    for name, reason in added.refused.items():
        sys.stderr.write(f"not added: {name}: {reason}\n")
    values = {"added": added.added, "known": added.known, "refused": dict(added.refused), "rows": rows}
    return values, (
        f"{added.added:,} added, {added.known:,} there already, {len(added.refused):,} refused; the gallery has "
        f"{rows:,} rows."
    )


def search(arguments: argparse.Namespace) -> Answer:
    """Find the rows that are most like an image, a person or a description."""
    from reid_tf.gallery import by_person

    with opened(arguments) as gallery:
        results = gallery.search(
            arguments.query,
            attributes=arguments.attributes,
            k=arguments.k,
            rerank=arguments.rerank,
            **filters_of(arguments),
        )
    if arguments.picture:
        write_picture(arguments, results)
    lines = [line_of(result) for group in by_person(results) for result in group]
    return [result.to_dict() for result in results], "\n".join(lines) or "Nothing was found."


def delete(arguments: argparse.Namespace) -> Answer:
    """Delete rows by their ids, or a person's, a camera's, those before a time."""
    with opened(arguments, encoder=False) as gallery:
        try:
            deleted = gallery.delete(arguments.ids or None, everything=arguments.yes, **filters_of(arguments))
        except InputError as error:
            raise InputError(str(error).replace("everything=True", "--yes")) from None
        rows = len(gallery)
    return {"deleted": deleted, "rows": rows}, f"{deleted:,} deleted; the gallery has {rows:,} rows."


def stats(arguments: argparse.Namespace) -> Answer:
    """Count rows, cameras and persons."""
    with opened(arguments, encoder=False) as gallery:
        found = gallery.stats()
    cameras = ", ".join(f"{camera or 'unknown'} {count:,}" for camera, count in found["cameras"].items())
    return found, "\n".join(
        [
            f"rows     {found['rows']:,}",
            f"cameras  {cameras or '-'}",
            f"persons  {found['persons']:,}",
            f"times    {found['first'] or '-'} to {found['last'] or '-'}",
            f"vectors  {found['dim']} dimensions, {found['distance']} distance",
        ]
    )


def export(arguments: argparse.Namespace) -> Answer:
    """Write all rows into a Parquet or .npz file."""
    from reid_tf.gallery.exchange import export_gallery

    with opened(arguments, encoder=False) as gallery:
        rows = export_gallery(gallery, arguments.out)
    return {"rows": rows, "file": arguments.out}, f"{rows:,} rows: {arguments.out}"


def import_rows(arguments: argparse.Namespace) -> Answer:
    """Put the rows of an exported gallery into this one."""
    from reid_tf.gallery.exchange import import_gallery

    with opened(arguments) as gallery:
        imported = import_gallery(gallery, arguments.file)
        rows = len(gallery)
    return {"imported": imported, "rows": rows}, f"{imported:,} imported; the gallery has {rows:,} rows."


def verify(arguments: argparse.Namespace) -> Answer:
    """Compare rows with their image files."""
    with opened(arguments, encoder=False) as gallery:
        rows, wrong = len(gallery), gallery.verify()
    lines = [f"{path}: {reason}" for path, reason in sorted(wrong.items())]
    return {"rows": rows, "wrong": wrong}, "\n".join([*lines, f"{len(wrong):,} of {rows:,} rows lack their image."])


def reembed(arguments: argparse.Namespace) -> Answer:
    """Make the gallery of another run's encoder from the image files of this one."""
    from reid_tf.gallery import Gallery

    with Gallery(arguments.gallery, token=arguments.token) as gallery:
        added = gallery.reembed(command_line.encoder(arguments), arguments.to)
    for name, reason in added.refused.items():
        sys.stderr.write(f"not added: {name}: {reason}\n")
    values = {"added": added.added, "refused": dict(added.refused)}
    return values, f"{added.added:,} rows in {arguments.to}, {len(added.refused):,} left out."


def serve(arguments: argparse.Namespace) -> Answer:
    """Answer other programs over HTTP until stopped: /v1/search, /v1/add, /v1/delete, /healthz, /metrics, /docs."""
    require_package("fastapi", "A gallery over HTTP", "'reid_tf[http]'")
    import uvicorn

    from reid_tf.gallery.http import create_app

    with opened(arguments) as gallery:
        app = create_app(gallery, os.environ.get(API_KEY_VARIABLE), arguments.rate)
        uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning")
    return {"stopped": True}, "Stopped."


def opened(arguments: argparse.Namespace, encoder: bool = True) -> "Gallery":
    """Opens the gallery that the arguments name, with the encoder of `--run` where one is given."""
    from reid_tf.gallery import Gallery

    given = command_line.encoder(arguments) if encoder and arguments.run else None
    return Gallery(arguments.gallery, given, arguments.token)


def filters_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns the filters that were given."""
    return {name: value for name in FILTERS if (value := getattr(arguments, name)) is not None}


def line_of(result: "Result") -> str:
    """Returns a result as a line of text."""
    entry = result.entry
    answers = {
        "d": result.distance,
        "p": result.probability,
    }
    numbers = "  ".join(f"{name} = {value:.3f}" for name, value in answers.items() if value is not None)
    verdict = {None: "", True: "  same", False: "  somebody else"}[result.same]
    time = f"  {entry.time.isoformat(timespec='seconds')}" if entry.time else ""
    told = [f"  {name} {getattr(entry, name)}" for name in ("camera", "track", "person") if getattr(entry, name)]
    return f"{numbers}{verdict}  {entry.path or entry.id}{''.join(told)}{time}"


def write_picture(arguments: argparse.Namespace, results: "Sequence[Result]") -> None:
    """Draws the query and the results whose files are there."""
    import numpy as np

    from reid_tf.pipeline.decode import read_image
    from reid_tf.report.picture import write_png
    from reid_tf.report.search_picture import draw_search

    shown = [result for result in results if result.entry.path and "://" not in result.entry.path]
    if not shown:
        raise InputError(f"There is nothing to draw: none of {len(results)} results has an image file.")
    values = [result.probability if result.distance is None else result.distance for result in shown]
    picture = draw_search(
        [result.entry.path for result in shown],
        np.arange(len(shown))[np.newaxis],
        np.array([values], float),
        read_image,
        [arguments.query] if arguments.query else None,
    )
    write_png(arguments.picture, picture)


def add_gallery(parser: argparse.ArgumentParser) -> None:
    """Adds `--gallery` and `--token`."""
    parser.add_argument("--gallery", required=True, metavar="DIR_OR_URL", help="a folder, or a server's address")
    parser.add_argument("--token", default="", metavar="USER:PASSWORD", help="of the server")


def add_run(parser: argparse.ArgumentParser, required: bool) -> None:
    """Adds `--run`, `--flip` and a detector's arguments."""
    parser.add_argument("--run", required=required, metavar="DIR", help="the run whose encoder the gallery has")
    parser.add_argument("--flip", action="store_true", help="average over an image and its mirror image")
    command_line.add_detector_arguments(parser, "finds the landmarks of images, where needed")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Adds one argument for each filter."""
    parser.add_argument("--camera", nargs="+", metavar="NAME", help="one of these cameras")
    parser.add_argument("--not-camera", nargs="+", metavar="NAME", help="none of these cameras")
    parser.add_argument("--since", metavar="TIME", help="not before this time, with its zone")
    parser.add_argument("--until", metavar="TIME", help="before this time, with its zone")
    parser.add_argument("--track", nargs="+", metavar="NAME", help="one of these tracks")


def _of_add(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=False)
    parser.add_argument(
        "--images",
        required=True,
        metavar="FOLDER_OR_CSV_OR_NPZ",
        help="a folder, a CSV with path and any of the columns below, or what reid-tf embed wrote",
    )
    for name in ("camera", "person", "track", "note"):
        parser.add_argument(f"--{name}", metavar="TEXT", help="of all that does not say otherwise")
    parser.add_argument("--time", metavar="TIME", help="likewise, with its zone")
    parser.add_argument("--quality", type=command_line.number(float, Within(0, 1)), help="likewise, between 0 and 1")
    parser.add_argument(
        "--index", action="store_true", help="have a server index the new rows at once, not when it next does so itself"
    )


def _of_search(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=False)
    parser.add_argument("--query", metavar="IMAGE", help="the image to search with")
    parser.add_argument("--person", metavar="NAME", help="whose images to search with; beside --query, whom to find")
    parser.add_argument("--attributes", nargs="+", default=[], metavar="GROUP=CLASS", help="what the results must show")
    parser.add_argument("--k", type=command_line.COUNT, default=10, help="results (default: %(default)s)")
    parser.add_argument("--rerank", action="store_true", help="re-rank the nearest by k-reciprocal neighbours")
    add_filters(parser)
    command_line.add_output(parser, "--picture", metavar="PNG", help="also draw the results")


def _of_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ids", nargs="+", default=[], metavar="ID", help="rows by their ids")
    parser.add_argument("--person", nargs="+", metavar="NAME", help="those of these persons")
    add_filters(parser)
    parser.add_argument("--yes", action="store_true", help="also if no row would be left")


def _of_export(parser: argparse.ArgumentParser) -> None:
    command_line.add_output(parser, "--out", required=True, metavar="PARQUET_OR_NPZ", help="the file to write")


def _of_import(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=False)
    parser.add_argument("--file", required=True, metavar="PARQUET_OR_NPZ", help="what reid-tf gallery export wrote")


def _of_reembed(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=True)
    parser.add_argument("--to", required=True, metavar="DIR_OR_URL", help="the new gallery")


def _of_serve(parser: argparse.ArgumentParser) -> None:
    add_run(parser, required=False)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    parser.add_argument("--port", type=command_line.number(int, Within(1, 65535)), default=8600, help="(%(default)s)")
    parser.add_argument("--rate", default="600/minute", help="requests of one client in a time (%(default)s)")


def _of_nothing(parser: argparse.ArgumentParser) -> None:
    pass


ACTIONS: dict[str, tuple[Callable[[argparse.Namespace], Answer], Callable[[argparse.ArgumentParser], None]]] = {
    "add": (add, _of_add),
    "search": (search, _of_search),
    "delete": (delete, _of_delete),
    "stats": (stats, _of_nothing),
    "export": (export, _of_export),
    "import": (import_rows, _of_import),
    "verify": (verify, _of_nothing),
    "reembed": (reembed, _of_reembed),
    "serve": (serve, _of_serve),
}
