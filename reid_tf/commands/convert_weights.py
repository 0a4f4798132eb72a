"""Make a backbone's weights file from a published PyTorch one (.pth, .pt or .safetensors), without PyTorch."""

import json
import re

from reid_tf.commands import command_line

SHOWN = 10  # names of a list on the screen; --report has them all


def main() -> None:
    """Parses the command line and converts."""
    parser = command_line.parser(
        __doc__,
        "reid-tf convert-weights --backbone resnet50 --weights resnet50.safetensors --out resnet50.weights.h5",
    )
    parser.add_argument("--backbone", required=True, metavar="NAME", help="the backbone that gets the weights")
    parser.add_argument("--weights", required=True, metavar="FILE", help="the .safetensors, .pth or .pt file")
    parser.add_argument("--out", required=True, metavar="FILE.weights.h5", help="the file to write")
    parser.add_argument("--report", metavar="TXT", help="write what became of every tensor, even where they do not fit")
    parser.add_argument("-v", "--verbose", action="store_true", help="also print it")
    arguments = parser.parse_args()

    from reid_tf.backbones.weights.conversion import compare, convert_weights, every_tensor, summary, weight_table
    from reid_tf.backbones.weights.state_dict import read_state_dict
    from reid_tf.files import written_beside

    table = weight_table(arguments.backbone)
    state = read_state_dict(arguments.weights)
    comparison = compare(table, state.tensors)
    print("\n".join(summary(table, state, comparison, None if arguments.verbose else SHOWN)))
    if arguments.verbose:
        print("\n".join(every_tensor(state, comparison)))
    if arguments.report:
        lines = [*summary(table, state, comparison), *every_tensor(state, comparison)]
        with written_beside(arguments.report) as beside:
            beside.write_text("\n".join(lines) + "\n")
    convert_weights(arguments.backbone, state, arguments.out)
    path = arguments.out if re.fullmatch(r"[\w./-]+", arguments.out) else json.dumps(arguments.out)  # both are YAML
    options = "".join(f"{option}: {value}, " for option, value in table.options.items())
    print(f"Written. In a configuration:\nbackbone: {{name: {arguments.backbone}, {options}weights: {path}}}")
