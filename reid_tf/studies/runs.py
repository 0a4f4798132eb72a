"""What a sweep over given values and a search for good ones share."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_tf.config import ExperimentConfig, load_config
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from reid_tf.training.run_directory import RunDirectory


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Returns option values as "key.path=value" strings, which `load_config()` reads back as they are."""
    # JSON is YAML without its surprises: the string "yes" stays one.
    return [f"{option}={json.dumps(value, ensure_ascii=False)}" for option, value in values.items()]


def is_interrupted(folder: Path) -> bool:
    """Returns whether a run of that name was begun and has a checkpoint to go on from."""
    return _interrupted(folder) is not None


def check_same(config: ExperimentConfig, folder: Path) -> None:
    """Raises an `InputError` where a run of that name, finished or interrupted, has another configuration."""
    place = folder if folder.exists() else _interrupted(folder)
    if place is None:
        return
    there = load_config(place / "config.yaml")
    key = config.differing_key(there)
    if key is not None:
        raise InputError(
            f"{str(place)!r} holds a run of another configuration, with {key}={there.to_dict()[key]!r}; give another "
            f"--out or remove it. Received: {key}={config.to_dict()[key]!r}."
        )


def check_files(configs: Sequence[ExperimentConfig]) -> None:
    """Looks for weights files and loads each data set once: what is missing is said once, not by every run.

    Args:
        configs: sequence of `ExperimentConfig`.

    Raises:
        InputError: a weights file is missing, or a data set cannot be read.
    """
    for path in {path for config in configs for path in (config.backbone.get("weights"), config.initial_weights)}:
        if path not in (None, "imagenet") and not Path(path).expanduser().is_file():
            raise InputError(f"The runs begin with a weights file that does not exist. Received: {path!r}.")
    for text in dict.fromkeys(json.dumps(config.to_dict()["dataset"]) for config in configs):
        load_dataset(**json.loads(text))


def _interrupted(folder: Path) -> Path | None:
    try:
        return RunDirectory(folder, resume=True).path
    except InputError:  # there is no checkpoint to go on from
        return None
