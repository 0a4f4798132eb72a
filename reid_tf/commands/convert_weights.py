"""Make a weights file from a published one of PyTorch's (.pth, .pt or .safetensors) or Caffe's, without either.

With --backbone it is a file for the backbone's option `weights`; with --encoder, a
checkpoint that torchreid trained for re-identification becomes a folder that other
commands open as a run; with --detector cpm, OpenPose's network for COCO's landmarks
becomes a file for the landmark detector `cpm`.
"""

import argparse
import json
import re
import shlex

from reid_tf.commands import command_line
from reid_tf.errors import InputError
from reid_tf.files import claimed, written_beside

SHOWN = 10  # names of a list on the screen; --report has them all


def main() -> None:
    """Parses the command line and converts."""
    parser = command_line.parser(
        __doc__,
        "reid-tf convert-weights --backbone resnet50 --weights resnet50.safetensors --out resnet50.weights.h5",
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--backbone", metavar="NAME", help="the backbone that gets the weights")
    target.add_argument("--encoder", metavar="NAME", help="the backbone of a trained encoder of torchreid's")
    target.add_argument("--detector", choices=("cpm",), help="the landmark detector that gets them")
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="a .safetensors, .pth, .pt or .caffemodel file"
    )
    command_line.add_output(
        parser,
        "--out",
        required=True,
        metavar="FILE",
        help="the .weights.h5 file (detector: .keras file; encoder: folder) to write",
    )
    parser.add_argument(
        "--image-size",
        type=command_line.COUNT,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of a detector (default: 368 184) or encoder (256 128)",
    )
    command_line.add_output(
        parser, "--report", metavar="TXT", help="write what became of every tensor, even where they do not fit"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also print it")
    arguments = parser.parse_args()
    if arguments.image_size and arguments.backbone:
        raise InputError(
            f"--image-size belongs to --detector and --encoder. Received: --backbone {arguments.backbone}."
        )
    with claimed(arguments.out, folder=bool(arguments.encoder)):
        convert(arguments)


def convert(arguments: argparse.Namespace) -> None:
    """Reads the weights, says what becomes of them and writes them."""
    from reid_tf.backbones.weights.caffe_tables import OPENPOSE_COCO
    from reid_tf.backbones.weights.conversion import compare, convert_weights, every_tensor, summary, weight_table
    from reid_tf.backbones.weights.state_dict import read_state_dict
    from reid_tf.models.openpose import IMAGE_SIZE, convert_openpose

    backbone = arguments.backbone or arguments.encoder
    if backbone:
        weight_table(backbone, {})  # a name that does not exist is said before a large file is read
    state = read_state_dict(arguments.weights)
    table = weight_table(backbone, state.tensors) if backbone else OPENPOSE_COCO
    comparison = compare(table, state.tensors)
    print("\n".join(summary(table, state, comparison, None if arguments.verbose else SHOWN)))
    if arguments.verbose:
        print("\n".join(every_tensor(state, comparison)))
    if arguments.report:
        lines = [*summary(table, state, comparison), *every_tensor(state, comparison)]
        with written_beside(arguments.report) as beside:
            beside.write_text("\n".join(lines) + "\n")
    if arguments.detector:
        convert_openpose(state, arguments.out, tuple(arguments.image_size or IMAGE_SIZE))
        print(f"Written. To find landmarks:\n--detector cpm --detector-option {shlex.quote(f'run={arguments.out}')}")
        return
    if arguments.encoder:
        from reid_tf.encoder import published

        image_size = tuple(arguments.image_size or published.IMAGE_SIZE)
        published.convert_encoder(backbone, state, arguments.out, image_size)
        print(f"Written. To use it:\nreid-tf embed --run {shlex.quote(arguments.out)} --images FOLDER --out crops.npz")
        return
    convert_weights(arguments.backbone, state, arguments.out)
    path = arguments.out if re.fullmatch(r"[\w./-]+", arguments.out) else json.dumps(arguments.out)  # both are YAML
    options = "".join(f"{option}: {value}, " for option, value in table.options.items())
    print(f"Written. In a configuration:\nbackbone: {{name: {arguments.backbone}, {options}weights: {path}}}")
