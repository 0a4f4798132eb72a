"""What a sweep over given values and a search for good ones share."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reid_tf.config import ExperimentConfig
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.summary import data_hash
from reid_tf.errors import InputError
from reid_tf.files import user_path
from reid_tf.training.run_directory import RunDirectory, check_same_data, check_same_recipe


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Returns option values as "key.path=value" strings, which `load_config()` reads back as they are."""
    # JSON is YAML without its surprises: the string "yes" stays one.
    return [f"{option}={json.dumps(value, ensure_ascii=False)}" for option, value in values.items()]


def is_interrupted(folder: Path) -> bool:
    """Returns whether a run of that name was begun and has a checkpoint to go on from."""
    return _interrupted(folder) is not None


def epochs_done(folder: Path) -> int:
    """Returns how many epochs an interrupted run of that name has behind it."""
    return int(json.loads(RunDirectory(folder, resume=True).state.read_text())["epoch"])


def check_same(config: ExperimentConfig, folder: Path) -> None:
    """Raises an `InputError` where a run of that name has another configuration, or was finished on other data."""
    place = folder if folder.exists() else _interrupted(folder)
    if place is None:
        return
    begun = check_same_recipe(config, place)
    if place == folder and config.dataset != begun.dataset:  # an interrupted run is compared when it goes on
        kept = json.loads((folder / "manifest.json").read_text())["data_hash"]
        check_same_data(data_hash(load_dataset(**config.dataset)), kept, folder, config.dataset.get("root"))


def check_files(configs: Sequence[ExperimentConfig]) -> None:
    """Looks for weights files and loads each data set once: what is missing is said once, not by every run.

    Args:
        configs: sequence of `ExperimentConfig`.

    Raises:
        InputError: a weights file is missing, or a data set cannot be read.
    """
    for path in {path for config in configs for path in _beginnings(config)}:
        if path not in (None, "imagenet") and not user_path(path, "give the whole path").exists():
            raise InputError(f"The runs begin with weights that do not exist. Received: {path!r}.")
    for text in dict.fromkeys(json.dumps(config.to_dict()["dataset"]) for config in configs):
        load_dataset(**json.loads(text))


def _beginnings(config: ExperimentConfig) -> tuple[str | None, ...]:
    return config.backbone.get("weights"), config.initial_weights, config.begin_from


def _interrupted(folder: Path) -> Path | None:
    try:
        return RunDirectory(folder, resume=True).path
    except InputError:  # there is no checkpoint to go on from
        return None
