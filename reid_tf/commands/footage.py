"""Find who was where and when: people across cameras, from videos and a tracker's boxes.

--cameras is a CSV file with the columns camera, video, boxes, start and rate: the video or
folder of frames, the boxes with a track each (MOT Challenge's text, COCO's JSON), the time
of the first frame with its zone, and frames a second. --out gets people.csv, crops, a
contact sheet of everybody, and a timeline as PNG and HTML. --demo draws a street, its
footage and boxes into OUT-street first, trains and calibrates the default system into
OUT-run unless --run is given, and judges the people by the truth.
"""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from reid_tf.commands import command_line
from reid_tf.errors import InputError
from reid_tf.options import Within

if TYPE_CHECKING:
    from reid_tf.footage.drawing import Drawing

DEFAULT = "multitask_synthetic"
SHARE = Within(0, 1)


def main() -> None:
    """Parses the command line and finds the people."""
    arguments = _arguments()
    if arguments.forget:
        forgotten(arguments)
        return
    travel = dict(map(_travel, arguments.travel))
    if arguments.gallery and arguments.discard_crops:
        raise InputError(
            f"A gallery is of crops that are kept. Received: --gallery {arguments.gallery} with --discard-crops."
        )
    if not (arguments.run or arguments.demo):
        raise InputError(f"--cameras needs the encoder of a --run. Received: {arguments.run}.")

    from reid_tf.footage.camera import read_cameras
    from reid_tf.footage.drawing import draw
    from reid_tf.footage.follow import Sampling
    from reid_tf.footage.footage import people_of
    from reid_tf.footage.judge import judge, match
    from reid_tf.footage.remember import remember
    from reid_tf.footage.street import TRUTH_FOLDER, draw_street
    from reid_tf.gallery.gallery import Gallery

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it counts the networks that were made
    out = Path(arguments.out)
    street = out.with_name(f"{out.name}-street")
    cameras = read_cameras(draw_street(street) if arguments.demo else arguments.cameras)
    if not arguments.run:
        arguments.run = str(trained(out.with_name(f"{out.name}-run")))
    encoder = command_line.encoder(arguments)
    people = people_of(
        encoder,
        cameras,
        out,
        Sampling(
            every=arguments.every,
            crops=arguments.crops,
            least_height=arguments.least_height,
            descriptor=arguments.descriptor,
            least_quality=arguments.least_quality,
            least_junk_score=arguments.least_junk_score,
            keep=not arguments.discard_crops,
        ),
        arguments.probability,
        arguments.threshold,
        travel,
    )
    draw(people, out, drawing(arguments))
    if arguments.gallery:
        with Gallery(arguments.gallery, encoder, arguments.token) as gallery:
            added, named = remember(people, out, gallery)
        print(f"{added:,} crops added, {named:,} named: {arguments.gallery}")
    print(f"{len(set(people.persons.tolist()))} people in {len(people.persons)} tracks: {out / 'people.csv'}")
    print(f"who was where and when: {out / 'timeline.html'}")
    if arguments.demo:
        found = judge(people, match(cameras, street / TRUTH_FOLDER))
        print(
            f"IDF1 {100 * found.idf1:.1f} %, purity {100 * found.purity:.1f} %, {found.people} people found of "
            f"{found.true_people} who were there"
        )


def forgotten(arguments: argparse.Namespace) -> None:
    """Removes people from a folder of footage and, where one is named, from a gallery."""
    from reid_tf.footage.drawing import draw
    from reid_tf.footage.footage import forget
    from reid_tf.footage.remember import person_name
    from reid_tf.gallery.gallery import Gallery

    out = Path(arguments.out)
    people = forget(out, arguments.forget)
    draw(people, out, drawing(arguments))
    print(f"{len(set(people.persons.tolist()))} people are left: {out / 'people.csv'}")
    if arguments.gallery:
        with Gallery(arguments.gallery, token=arguments.token) as gallery:
            names = [person_name(out, person) for person in arguments.forget]
            rows = gallery.delete(person=names, everything=True)
        print(f"{rows:,} rows deleted: {arguments.gallery}")


def drawing(arguments: argparse.Namespace) -> "Drawing":
    """Returns how everything is to be drawn: as `--blur` says, else as before."""
    from reid_tf.footage.drawing import Drawing, drawing_of

    if arguments.blur is None:
        return drawing_of(Path(arguments.out))
    return Drawing(None if arguments.blur == "none" else arguments.blur)


def trained(run: Path) -> Path:
    """Trains and calibrates the default system in a run directory, unless it is there."""
    from reid_tf.calibration.calibrate import calibrate, write_calibration
    from reid_tf.calibration.people import held_out_records
    from reid_tf.config import load_config
    from reid_tf.datasets.load import load_dataset
    from reid_tf.encoder.load import load_encoder
    from reid_tf.retrieval.calibration import CALIBRATION_FILE
    from reid_tf.studies.runs import is_interrupted
    from reid_tf.training.train import train

    config = load_config(command_line.find_config(DEFAULT))
    if not (run / "metrics.json").is_file():
        train(config, run, is_interrupted(run))
    if not (run / CALIBRATION_FILE).is_file():
        people = held_out_records(run, config.evaluation.validation, load_dataset("synthetic"))
        write_calibration(run, calibrate(load_encoder(run), None, people))
    return run


def _travel(text: str) -> tuple[tuple[str, str], tuple[float, float]]:
    cameras, _, seconds = text.partition("=")
    one, _, other = cameras.partition(":")
    least, _, most = seconds.partition("-")
    try:
        limits = float(least), float(most)
    except ValueError:
        limits = (1.0, 0.0)
    if not one or not other or not 0 <= limits[0] <= limits[1]:
        raise InputError(f"--travel takes two cameras and seconds, such as door:yard=20-300. Received: {text!r}.")
    return (one, other), limits


def _arguments() -> argparse.Namespace:
    parser = command_line.parser(__doc__, "reid-tf footage --cameras cameras.csv --run runs/short --out people")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cameras", metavar="CSV", help="the table of footage")
    source.add_argument("--demo", action="store_true", help="take the drawn street")
    source.add_argument(
        "--forget",
        type=command_line.COUNT,
        nargs="+",
        metavar="PERSON",
        help="instead, remove people from --out, and from --gallery: rows, crops, sheets",
    )
    command_line.add_encoder_arguments(parser, required=False)
    command_line.add_output(parser, "--out", folder=True, required=True, metavar="DIR", help="the folder to write")
    parser.add_argument(
        "--probability",
        type=command_line.number(float, SHARE),
        help="calibrated probability of one person down to which tracks are joined (default: the calibrated threshold)",
    )
    parser.add_argument(
        "--threshold", type=command_line.number(float, Within(0, 2)), help="the largest mean cosine distance instead"
    )
    parser.add_argument(
        "--travel",
        nargs="+",
        default=[],
        metavar="A:B=LEAST-MOST",
        help="seconds that somebody needs from one camera to another: door:yard=20-300",
    )
    parser.add_argument(
        "--every",
        type=command_line.number(float, Within(0.01)),
        default=0.4,
        help="seconds between looks (%(default)s)",
    )
    parser.add_argument(
        "--least-height", type=command_line.COUNT, default=32, help="pixels that a box must have (%(default)s)"
    )
    parser.add_argument(
        "--least-quality",
        type=command_line.number(float, Within(0, 1)),
        default=0.0,
        help="of a crop, from 0 to 1: size, sharpness, what is hidden or cut off (%(default)s)",
    )
    parser.add_argument(
        "--least-junk-score",
        type=command_line.number(float, Within(0)),
        help="of a crop, for a run with attributes: the sum of their squared outputs, low where nobody is shown",
    )
    parser.add_argument("--crops", type=command_line.COUNT, default=6, help="crops kept of a track (%(default)s)")
    parser.add_argument(
        "--discard-crops", action="store_true", help="keep vectors alone: no crops, no contact sheets, no gallery"
    )
    parser.add_argument(
        "--descriptor", choices=("mean", "medoid", "medoids"), default="mean", help="of a track's crops"
    )
    parser.add_argument(
        "--blur",
        choices=("faces", "background", "none"),
        help="in everything drawn (default: as the folder was drawn before, else none)",
    )
    parser.add_argument(
        "--gallery", metavar="DIR_OR_URL", help="also add the crops to a gallery, with track and person"
    )
    parser.add_argument("--token", default="", metavar="USER:PASSWORD", help="of the gallery's server")
    return parser.parse_args()
