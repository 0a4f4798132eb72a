"""List the experiments that come with the package; `--config NAME` takes each by its name."""

from pathlib import Path

from reid_tf.commands import command_line

KINDS = {"experiments": "", "sweeps": "sweeps", "searches": "tuning"}


def main() -> None:
    """Parses the command line and prints the names with their first lines."""
    parser = command_line.parser(__doc__, "reid-tf configs --only synthetic")
    parser.add_argument("--only", default="", metavar="TEXT", help="names that contain this text")
    arguments = parser.parse_args()
    for kind, folder in KINDS.items():
        paths = [path for path in command_line.config_files(folder) if arguments.only in path.stem]
        if paths:
            print(f"{kind}, in {paths[0].parent}:")
        for path in paths:
            print(f"  {path.stem}\n      {summary(path)}")


def summary(path: Path) -> str:
    """Returns what a configuration's first line says of it."""
    return path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
