"""`reid-tf NAME ...`: the installed command, which imports no more than the named one needs."""

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import reid_tf
from reid_tf.commands import command_line
from reid_tf.errors import InputError
from reid_tf.options import unknown

PACKAGE = Path(__file__).parent
NOT_COMMANDS = ("__init__", "command_line", "main")


def main() -> None:
    """Runs the command that the first argument names, on the others."""
    command_line.run(_main)


def commands() -> dict[str, Path]:
    """Returns the file of every command by its name, as typed."""
    files = (path for path in sorted(PACKAGE.glob("*.py")) if path.stem not in NOT_COMMANDS)
    return {path.stem.replace("_", "-"): path for path in files}


def overview() -> str:
    """Returns the text of `reid-tf --help`."""
    width = max(map(len, commands()))
    lines = [f"  {name:{width}}  {_first_line(path)}" for name, path in commands().items()]
    return "\n".join(
        [
            "usage: reid-tf COMMAND ... | reid-tf COMMAND --help | reid-tf --version",
            "",
            "Person re-identification on Keras 3 and TensorFlow.",
            "",
            *lines,
        ]
    )


def _main() -> None:
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(overview())
        return
    if name == "--version":
        print(f"reid-tf {reid_tf.__version__}")
        return
    if name not in commands():
        raise InputError(unknown("command", name, commands()))
    sys.argv = [f"reid-tf {name}", *rest]
    importlib.import_module(f"reid_tf.commands.{commands()[name].stem}").main()


def _first_line(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0]
