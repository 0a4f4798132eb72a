"""What every command shares: one parser style, one way to report what the user got wrong."""

import argparse
import contextlib
import dataclasses
import difflib
import logging
import math
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from reid_tf.quiet import quiet_tensorflow

quiet_tensorflow()  # before anything imports it, in the processes that a command starts too

from reid_tf.config import ExperimentConfig, check_new_run, load_config
from reid_tf.config_file import read_value
from reid_tf.errors import InputError
from reid_tf.files import check_output
from reid_tf.options import Within
from reid_tf.registry import DATASETS, MODELS

if TYPE_CHECKING:
    from reid_tf.datasets.attributes.coding import AttributeCoding
    from reid_tf.datasets.record import ReIDDataset
    from reid_tf.encoder.encoder import Encoder
    from reid_tf.retrieval.reranking import Reranking

# In a checkout beside the package, in an installed one inside it.
_PACKAGE = Path(__file__).resolve().parents[1]
CONFIGS = next((path for path in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if path.is_dir()), Path("configs"))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:].rstrip('.')}.")


def parser(description: str, example: str) -> argparse.ArgumentParser:
    """Returns an argument parser whose help ends with an example that works."""
    return _Parser(
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def number(kind: type[int] | type[float], bounds: Within = Within()) -> Callable[[str], int | float]:  # noqa: B008
    """Returns the `type` of an argument that takes a finite number within bounds."""

    def read(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"it must be a number. Received: {text!r}") from error
        if not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"it must be finite. Received: {text}")
        try:
            bounds.check(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return value

    return read


COUNT = number(int, Within(1))
WHOLE = number(int, Within(0))
NOT_NEGATIVE = number(float, Within(0))


def add_output(arguments: argparse.ArgumentParser, flag: str, *, folder: bool = False, **options: Any) -> None:
    """Adds an argument that names what the command writes, checked while the command line is read.

    Args:
        arguments: argparse.ArgumentParser.
        flag: str. "--out".
        folder: bool. Whether a folder is written.
        **options: as of `add_argument`: required, metavar, help.
    """
    arguments.add_argument(flag, action=_Output, folder=folder, **options)


class _Output(argparse.Action):
    def __init__(self, *names: Any, folder: bool, **options: Any) -> None:
        super().__init__(*names, **options)
        self.folder = folder

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        check_output(values, self.folder)
        setattr(namespace, self.dest, values)


def add_experiment_arguments(arguments: argparse.ArgumentParser) -> None:
    """Adds `--model NAME`, `--config YAML` and `--set KEY=VALUE`; `experiment()` also reads `--data`."""
    arguments.add_argument("--model", metavar="NAME", help="a registered model; without --config, on synthetic images")
    arguments.add_argument(
        "--config", metavar="YAML", help="an experiment file, or the name of one that `reid-tf configs` lists"
    )
    add_set_argument(arguments)


def add_reranking(arguments: argparse.ArgumentParser) -> None:
    """Adds `--rerank` and its numbers; `reranking()` reads them."""
    group = arguments.add_argument_group("re-ranking by k-reciprocal neighbours")
    group.add_argument("--rerank", action="store_true", help="rank by what images have for neighbours too")
    group.add_argument("--k1", type=COUNT, help="nearest images that are looked at (20)")
    group.add_argument("--k2", type=COUNT, help="nearest images whose descriptions are averaged (6)")
    group.add_argument("--weight", type=number(float, Within(0, 1)), help="share of the plain distance (0.3)")
    group.add_argument(
        "--shortlist", type=COUNT, metavar="N", help="re-rank each query's N nearest images alone, in large galleries"
    )


def reranking(arguments: argparse.Namespace) -> "Reranking | None":
    """Returns what `--rerank` asks for.

    Raises:
        InputError: numbers are given without it, or they do not go together.
    """
    from reid_tf.retrieval.reranking import Reranking

    given = {name: getattr(arguments, name) for name in ("k1", "k2", "weight", "shortlist")}
    given = {name: value for name, value in given.items() if value is not None}
    if given and not arguments.rerank:
        names = ", ".join(f"--{name} {value}" for name, value in given.items())
        raise InputError(f"--k1, --k2, --weight and --shortlist belong to --rerank. Received: {names} without it.")
    return Reranking(**given) if arguments.rerank else None


def add_set_argument(arguments: argparse.ArgumentParser) -> None:
    """Adds `--set KEY=VALUE`."""
    arguments.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override, such as epochs=3; repeatable"
    )


def parse_with_overrides(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses a command line on which overrides may also stand alone: `epochs=3` is `--set epochs=3`."""
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="the same as --set KEY=VALUE")
    arguments = parser.parse_intermixed_args()
    arguments.set += arguments.overrides
    return arguments


def config_files(folder: str = "") -> list[Path]:
    """Returns the configurations that come with the package.

    Args:
        folder: str. "" for experiments, "sweeps" or "tuning".
    """
    return sorted((CONFIGS / folder).glob("*.yaml"))


def find_config(given: str, folder: str = "") -> Path:
    """Finds the configuration that a path, or the name of one of the package, means.

    Args:
        given: str.
        folder: str. As in `config_files`.

    Returns:
        Path of an existing file.

    Raises:
        InputError: there is none; the nearest names are in the message.
    """
    path = Path(given)
    if path.is_file():
        return path
    named = {file.stem: file for file in config_files(folder)}
    # As the headers of the configurations write it, also where the current folder is not the checkout.
    if path.parent in (Path(), Path("configs", folder)) and path.suffix in ("", ".yaml") and path.stem in named:
        return named[path.stem]
    near = difflib.get_close_matches(path.stem, named, n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
    what = {"": "configuration", "sweeps": "sweep", "tuning": "tuning"}[folder]
    raise InputError(
        f"There is no {what} file {given!r}, and none of the package's has this name.{hint} "
        "`reid-tf configs` lists them."
    )


def add_data_argument(arguments: argparse.ArgumentParser) -> None:
    """Adds `--data ROOT`."""
    arguments.add_argument("--data", metavar="ROOT", help="the folder that holds the data set")


def experiment(arguments: argparse.Namespace) -> tuple[ExperimentConfig, str]:
    """Reads the experiment that `--config`, `--model`, `--data` and `--set` describe.

    Returns:
        The checked configuration and its name. `--model NAME` alone means
        `configs/NAME_synthetic.yaml`.

    Raises:
        InputError: neither is given, they disagree, or something in the configuration
            is wrong.
    """
    model = arguments.model
    if not (arguments.config or model):
        raise InputError(
            f"Name an experiment with --config or a model with --model. Received: {arguments.config}, {model}."
        )
    path = find_config(arguments.config) if arguments.config else CONFIGS / f"{model}_synthetic.yaml"
    if not arguments.config and not path.is_file():
        MODELS.get(model)  # an unknown model is named first
        raise InputError(f"The model {model!r} has no experiment on synthetic images, {path.name!r}; give --config.")
    config = load_config(path, arguments.set)
    if getattr(arguments, "dataset", None) is not None:
        component = {"name": arguments.dataset, **dataset_options(arguments)}
        DATASETS.options(component)
        config = dataclasses.replace(config, dataset=component)
    if arguments.data:
        config = dataclasses.replace(config, dataset={**config.dataset, "root": arguments.data})
    check_new_run(config)
    if model and config.model["name"] != model:
        raise InputError(
            f"--model says {model!r}, but the configuration {str(path)!r} trains {config.model['name']!r}."
        )
    return config, path.stem


def add_dataset_arguments(arguments: argparse.ArgumentParser, default: str | None = "synthetic") -> None:
    """Adds `--dataset NAME`, `--data ROOT` and `--option KEY=VALUE`."""
    arguments.add_argument(
        "--dataset", default=default, metavar="NAME", help="registered data set (default: %(default)s)"
    )
    add_data_argument(arguments)
    arguments.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the data set, as in a configuration's `dataset:`; repeatable",
    )


def dataset_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Returns what `--option KEY=VALUE` gave, each value read as YAML: numbers, true, null, [lists]."""
    return key_values("--option", arguments.option, "boxes=labeled")


def run_and_dataset(arguments: argparse.Namespace) -> "tuple[ExperimentConfig, ReIDDataset]":
    """Returns the configuration of `--run`, and its data set, or the one that `--dataset` names, with their options."""
    from reid_tf.datasets.load import load_dataset

    config = load_config(Path(arguments.run) / "config.yaml")
    options = dict(config.dataset) if arguments.dataset is None else {"name": arguments.dataset}
    options.update(dataset_options(arguments))
    if arguments.data:
        options["root"] = arguments.data
    return config, load_dataset(**options)


def key_values(flag: str, given: Sequence[str], example: str) -> dict[str, Any]:
    """Returns what a repeatable argument KEY=VALUE gave, each value read as YAML."""
    options: dict[str, Any] = {}
    for option in given:
        if not re.match(r"\w+=", option):
            raise InputError(f"{flag} must be KEY=VALUE, such as {example}. Received: {option!r}.")
        name, _, text = option.partition("=")
        options[name] = read_value(text, f"The value of {flag} {option!r}")
    return options


def add_encoder_arguments(arguments: argparse.ArgumentParser, required: bool = True) -> None:
    """Adds `--run DIR`, `--flip` and a detector's arguments, which `encoder()` reads."""
    arguments.add_argument("--run", required=required, metavar="DIR", help="a finished run directory")
    arguments.add_argument("--flip", action="store_true", help="average over an image and its mirror image")
    add_detector_arguments(arguments, "finds the landmarks of images that have none, where needed")


def add_detector_arguments(arguments: argparse.ArgumentParser, purpose: str) -> None:
    """Adds `--detector NAME` and `--detector-option KEY=VALUE`, which `detector()` reads."""
    arguments.add_argument("--detector", metavar="NAME", help=f"landmark detector, such as movenet: {purpose}")
    arguments.add_argument(
        "--detector-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of the detector, such as model_file=movenet.tflite; repeatable",
    )


def detector(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Returns the component that `--detector` and `--detector-option` describe, or None where none is named."""
    if arguments.detector is None:
        if arguments.detector_option:
            raise InputError(f"--detector-option needs --detector. Received: {arguments.detector_option} alone.")
        return None
    example = "model_file=movenet.tflite"
    return {"name": arguments.detector, **key_values("--detector-option", arguments.detector_option, example)}


def encoder(arguments: argparse.Namespace) -> "Encoder":
    """Returns the encoder of the run that the arguments name."""
    from reid_tf.encoder.load import load_encoder

    loaded = load_encoder(arguments.run, detector(arguments))
    return loaded.with_options(flip=loaded.flip or arguments.flip)


def attribute_coding(encoder: "Encoder", arguments: argparse.Namespace) -> "AttributeCoding":
    """Returns how the attributes of the run's encoder are read.

    Raises:
        InputError: the encoder predicts no attributes.
    """
    if encoder.attributes is None:
        raise InputError(
            f"The encoder of {arguments.run!r} predicts no attributes; take a run of the model attribute or sharenet, "
            "or of multitask with the output attributes."
        )
    return encoder.attributes


class Stopped(KeyboardInterrupt):
    """Somebody, or the system, wants the command to end.

    Args:
        number: int. The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def going_on(how: Callable[[], str]) -> Iterator[None]:
    """Has a command that is stopped in the block say how it goes on.

    Args:
        how: function without arguments that returns the end of the sentence.
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.args = (how(),)
        raise


def this_command(*further: str) -> str:
    """Returns the command that runs, as it is typed, with further words that it lacks."""
    program, *words = sys.argv
    program = program if program.startswith("reid-tf") else f"python {shlex.quote(program)}"
    return f"{program} {shlex.join([*words, *(word for word in further if word not in words)])}".rstrip()


def run(main: Callable[[], None]) -> None:
    """Runs a tool.

    An `InputError` becomes one line on standard error and exit code 2; Ctrl-C and
    SIGTERM become one line and 130 or 143.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        with _stoppable():
            main()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt as stop:
        how = stop.args[0] if stop.args else "nothing half-written is left."
        sys.stderr.write(f"stopped: {how}\n")
        sys.exit(128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT))
    except BrokenPipeError:  # what reads the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        sys.exit(128 + signal.SIGPIPE)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Has Ctrl-C and SIGTERM raise `Stopped`, but for a signal that whoever started the command ignores."""

    def stop(number: int, frame: Any) -> None:
        raise Stopped(number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        wanted = (number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN)
        before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
