"""Measure the package's own speed and memory, one subcommand each, every figure beside a plain peer."""

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks import (
    backbones,
    fleet,
    footage,
    frontier,
    fuzz,
    gallery,
    gpu,
    installation,
    kills,
    load,
    pipeline,
    ranking,
    recipes,
    serve,
    single_shot,
    soak,
    step,
)

SUBCOMMANDS = {
    "backbones": backbones,
    "fleet": fleet,
    "footage": footage,
    "frontier": frontier,
    "fuzz": fuzz,
    "gallery": gallery,
    "gpu": gpu,
    "installation": installation,
    "kills": kills,
    "load": load,
    "pipeline": pipeline,
    "ranking": ranking,
    "recipes": recipes,
    "serve": serve,
    "single_shot": single_shot,
    "soak": soak,
    "step": step,
}


def main() -> None:
    """Parses the command line and runs one benchmark."""
    parser = command_line.parser(__doc__, "reid-tf benchmark ranking")
    subparsers = parser.add_subparsers(dest="benchmark", required=True)
    for name, module in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=str(module.__doc__).splitlines()[0], description=module.__doc__)
        module.add_arguments(subparser)
    arguments = parser.parse_args()
    SUBCOMMANDS[arguments.benchmark].main(arguments)
