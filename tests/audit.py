"""What the configurations of the papers come to, as a table: outputs and their weights, parameters, rates, validation.

    python tests/audit.py                      # the whole table, as docs/papers.md has it
    python tests/audit.py triplet_alexnet_market1501

Networks are built as they are trained, with random weights; no data is read.
"""

import argparse
import itertools
import sys

import keras

from reid_tf.commands.command_line import config_files
from reid_tf.config import ExperimentConfig, load_config
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.registry import BACKBONES, MODELS, SCHEDULES

# Training images and people of the data sets, as published; TownCentre's tracks depend on how it is cut.
TRAINING = {"market1501": (12_936, 751), "dukemtmc_reid": (16_522, 702), "cuhk03_classic": (26_264, 1_367)}
STEPS = 100  # per epoch, for the rates: they depend on epochs alone
HEADER = ("configuration", "outputs x loss weight", "parameters, M", "learning rate by epoch", "validation")


def names() -> list[str]:
    """The configurations on the papers' data sets."""
    found = {path.stem: load_config(path).dataset["name"] for path in config_files()}
    return sorted(name for name, dataset in found.items() if dataset in (*TRAINING, "town_centre"))


def row(name: str, networks: bool = True) -> tuple[str, ...]:
    """One line of the table; without networks its second and third cell are empty."""
    (path,) = (path for path in config_files() if path.stem == name)
    config = load_config(path)
    outputs, parameters = _network(config) if networks else ("", "")
    return f"`{name}`", outputs, parameters, rates(config), validation(config)


def rates(config: ExperimentConfig) -> str:
    """The rate of every epoch's first step, epochs of one rate together."""
    of_epochs = [rate for stage in config.in_stages() for rate in stage_rates(stage)]
    spans, first = [], 1
    for rate, same in itertools.groupby(f"{rate:.2g}" for rate in of_epochs):
        last = first + len(list(same)) - 1
        spans.append((first, last, rate))
        first = last + 1
    if len(spans) > 12:  # a curve
        shown = (0, config.epochs // 2, config.epochs - 1)
        return ", ".join(f"{epoch + 1}: {of_epochs[epoch]:.2g}" for epoch in shown)
    slower = config.optimizer.get("pretrained_rate", 1.0)
    of_pretrained = "" if slower == 1.0 else f"; what is pre-trained x {slower:g}"
    return ", ".join(f"{first}-{last}: {rate}" for first, last, rate in spans) + of_pretrained


def validation(config: ExperimentConfig) -> str:
    """On whom, how often, which weights are kept, and the share of the time, a forward pass being a third of a step."""
    options = config.evaluation
    if options.validation is None:
        return "none"
    by_order = options.validation["name"] == "by_order"
    share = 1 - options.validation["share"] if by_order else options.validation["share"]
    passes = 2  # embedded and ranked; and the outputs' losses
    cost = passes * share / (3 * (1 - share) * options.interval + passes * share)
    return f"{share:.0%} of the people, every {options.interval}, keeps the {options.keep}, {cost:.1%}"


def stage_rates(config: ExperimentConfig) -> list[float]:
    """The rate of the first step of each epoch."""
    schedule = SCHEDULES.build(
        config.schedule,
        learning_rate=config.optimizer["learning_rate"],
        steps_per_epoch=STEPS,
        epochs=config.epochs,
    )
    return [float(schedule(epoch * STEPS)) for epoch in range(config.epochs)]


def _network(config: ExperimentConfig) -> tuple[str, str]:
    keras.backend.clear_session()
    backbone = BACKBONES.build({**config.backbone, "weights": None}, image_size=config.image_size)
    system = MODELS.build(
        config.model,
        backbone=backbone,
        num_identities=TRAINING.get(config.dataset["name"], (0, 751))[1],
        attribute_schema=MARKET1501_SCHEMA,
    ).with_loss_weights(config.loss_weights)
    stages = [stage.loss_weights for stage in config.in_stages()]
    weights = {
        output: "; ".join(f"{stage.get(output, weight):g}" for stage in stages)
        for output, weight in system.loss_weights.items()
    }
    return ", ".join(
        f"{output} {weight}" for output, weight in weights.items()
    ), f"{system.model.count_params() / 1e6:.2f}"


def table(rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = [HEADER, ("---",) * len(HEADER), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="default: all on the papers' data sets")
    sys.stdout.write(table([row(name) for name in parser.parse_args().names or names()]) + "\n")
