"""Training and embedding on this machine's GPUs: speed, share of what the card can do, and losses beside the CPU's.

ResNet-50 and the light network, each in every precision, with and without XLA, on one
GPU and on all: a soft triplet loss and an identity softmax on random images, each
measurement in a process of its own. "Share" is of the arithmetic that a large matrix
product reaches in that precision on one device of the same kind; a training step counts
as three passes. The first losses, on one device, are compared with those of the same
steps on the CPU in float32. Without a GPU the CPU is measured in the same way. Keras alone is used, on
the backend that --backend or KERAS_BACKEND names.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.processes import in_own_process
from reid_tf.errors import InputError, one_line
from reid_tf.files import write_json
from reid_tf.report.table import table_head, table_row

NETWORKS: dict[str, dict[str, Any]] = {
    # Its gradients are so long before it is trained that at a common rate rounding decides where the second step ends.
    "resnet50": {"backbone": {"name": "resnet50"}, "image_size": (256, 128), "rate": 1e-8},
    "light": {
        "backbone": {"name": "mobilenet_v2", "stages": 6},
        "image_size": (128, 64),
        "pooling": "stripes",
        "rate": 1e-4,
    },
}
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
# How far the losses of the first steps may be from the CPU's: rounding, which a few steps of training enlarge.
TOLERANCE = {"float32": 0.01, "mixed_float16": 0.05, "mixed_bfloat16": 0.1}
HEADER = (
    "network",
    "precision",
    "XLA",
    "devices",
    "training, images/s",
    "share",
    "embedding, images/s",
    "share",
    "loss",
)
COMPARED, PRODUCT = 3, 4096
IDENTITIES, IMAGES_EACH = 64, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is measured, how long, and the file of the figures to a parser."""
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="(all)")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS), help="(all)")
    parser.add_argument("--backend", choices=("tensorflow", "jax"), help="Keras' (that of KERAS_BACKEND)")
    parser.add_argument("--batch", type=command_line.COUNT, default=64, help="images per device (%(default)s)")
    parser.add_argument("--steps", type=command_line.COUNT, default=30, help="measured (%(default)s)")
    parser.add_argument("--no-xla", action="store_true", help="leave out XLA, which on a CPU takes minutes to compile")
    command_line.add_output(parser, "--out", metavar="JSON", help="also all figures as JSON")


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark, prints a row as soon as it is known, and writes the JSON.

    Raises:
        InputError: a loss is not the CPU's.
    """
    if arguments.batch % IMAGES_EACH:
        raise InputError(f"A batch must be a multiple of {IMAGES_EACH} images. Received: --batch {arguments.batch}.")
    if arguments.backend:
        os.environ["KERAS_BACKEND"] = arguments.backend
    found = in_own_process(devices, {})
    print(f"{found['backend']}: {found['count']} x {found['kind']}\n")
    print(table_head(HEADER), flush=True)
    peaks: dict[str, float] = {}
    rows: list[dict[str, Any]] = []
    for network in arguments.networks:
        reference = in_own_process(losses, {**_task(arguments, network, "float32"), "cpu": True})["losses"]
        for task in _tasks(arguments, network, found):
            precision = task["precision"]
            row = {**task, **_measured(task, peaks)}
            row["difference"] = _difference(row.get("losses"), reference)
            compared = task["devices"] > 1 or row["difference"] is not None
            row["right"] = "error" not in row and compared and (row["difference"] or 0) <= TOLERANCE[precision]
            for work in ("training", "embedding"):
                if work in row:
                    operations = 2 * row["multiply_adds"] * (3 if work == "training" else 1)
                    row[f"{work}_share"] = operations * row[work] / (peaks[precision] * task["devices"])
            rows.append(row)
            print(table_row(_cells(row)), flush=True)
    if arguments.out:
        figures = {"machine": platform.machine(), **found, "product_per_second": peaks, "rows": rows}
        write_json(Path(arguments.out), figures)
    wrong = [_name(row) for row in rows if not row["right"]]
    if wrong:
        raise InputError(f"{len(wrong)} of {len(rows)} did not train with the losses of the CPU: {'; '.join(wrong)}.")


def _task(arguments: argparse.Namespace, network: str, precision: str, **changed: Any) -> dict[str, Any]:
    task = {"network": network, "precision": precision, "xla": False, "devices": 1}
    return {**task, "batch": arguments.batch, "steps": arguments.steps, **changed}


def _tasks(arguments: argparse.Namespace, network: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    # JAX compiles everything with XLA.
    xla = [True] if found["backend"] == "jax" else [False] if arguments.no_xla else [False, True]
    counts = sorted({1, found["count"]})
    return [
        _task(arguments, network, precision, xla=compiled, devices=count)
        for precision in arguments.precisions
        for count in counts
        for compiled in xla
    ]


def _name(row: dict[str, Any]) -> str:
    return f"{row['network']} in {row['precision']}{' with XLA' if row['xla'] else ''} on {row['devices']}"


def _cells(row: dict[str, Any]) -> list[str]:
    shown = [row["network"], row["precision"], "yes" if row["xla"] else "no", str(row["devices"])]
    for work in ("training", "embedding"):
        shown += [f"{row[work]:,.0f}", f"{100 * row[f'{work}_share']:.1f} %"] if work in row else ["", ""]
    if row["difference"] is None:
        return [*shown, str(row.get("error", "" if row["devices"] > 1 else "not finite"))]
    return [*shown, f"{100 * row['difference']:.2f} % off{'' if row['right'] else ', too far'}"]


def _difference(received: Sequence[float | None] | None, expected: Sequence[float]) -> float | None:
    if not received or None in received:
        return None
    return float(np.max(np.abs(np.array(received) / np.array(expected) - 1)))


def _measured(task: dict[str, Any], peaks: dict[str, float]) -> dict[str, Any]:
    """What a task's row says; the peak of its precision is kept."""
    try:
        if task["precision"] not in peaks:
            peaks[task["precision"]] = in_own_process(attempt, product, task)["per_second"]
        return dict(in_own_process(attempt, measure, task))
    except InputError as error:  # told in its row, and the others go on
        return {"error": str(error)}


def attempt(function: Callable[[dict[str, Any]], dict[str, Any]], task: dict[str, Any]) -> dict[str, Any]:
    """Returns what a function says of a task.

    Raises:
        InputError: the device or the backend cannot do it.
    """
    try:
        return function(task)
    except Exception as error:  # whatever a backend raises
        raise InputError(one_line(error, 120)) from error


def devices(_: dict[str, Any]) -> dict[str, Any]:
    """Returns the backend, the number of devices and their kind."""
    import keras

    backend = keras.backend.backend()
    version = {name: importlib.metadata.version(name) for name in ("keras", backend)}
    if backend == "jax":
        import jax

        found = jax.devices()
        return {"backend": backend, "count": len(found), "kind": found[0].device_kind, "versions": version}
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    kind = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "cpu"
    return {"backend": backend, "count": max(1, len(gpus)), "kind": kind, "versions": version}


def product(task: dict[str, Any]) -> dict[str, Any]:
    """Returns the operations per second of a large matrix product in a task's precision, on one device."""
    import keras

    size = PRODUCT if devices({})["kind"] != "cpu" else PRODUCT // 4
    kind = task["precision"].removeprefix("mixed_")
    matrix = keras.ops.ones((size, size), kind)
    if keras.backend.backend() == "jax":
        import jax

        multiply = jax.jit(lambda a: a @ a)
    else:
        import tensorflow as tf

        multiply = tf.function(lambda a: tf.matmul(a, a))
    keras.ops.convert_to_numpy(multiply(matrix))
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        result = matrix
        for _ in range(10):
            result = multiply(matrix)
        keras.ops.convert_to_numpy(result[:1, :1])  # waits for it
        best = min(best, (time.perf_counter() - started) / 10)
    return {"per_second": 2 * size**3 / best}


def losses(task: dict[str, Any]) -> dict[str, Any]:
    """Returns the losses of a task's first steps on one device, None for one that is not finite."""
    if task.get("cpu"):
        os.environ.update(CUDA_VISIBLE_DEVICES="-1", JAX_PLATFORMS="cpu")
    system, images, labels = _prepared(task)
    found, rows = [], slice(task["batch"])  # the same images each time, so that the losses say what a step does
    for _ in range(COMPARED):
        answer = system.model.train_on_batch(
            {"image": images[rows]}, {name: label[rows] for name, label in labels.items()}, return_dict=True
        )
        loss = float(answer["loss"])
        found.append(loss if np.isfinite(loss) else None)
    return {"losses": found}


def measure(task: dict[str, Any]) -> dict[str, Any]:
    """Returns what a task's row says."""
    # Of several devices each normalises by its own share, so that their losses are not the CPU's.
    return {**(losses(task) if task["devices"] == 1 else {}), **_speeds(task)}


def _prepared(task: dict[str, Any], strategy: Any = None) -> tuple[Any, np.ndarray, dict[str, np.ndarray]]:
    """A compiled system, and random images with their labels: the same ones for every task of a network."""
    import keras

    from reid_tf import registry
    from reid_tf.models import triplet

    network = NETWORKS[task["network"]]
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(task["precision"])
    with strategy.scope() if strategy else contextlib.nullcontext():
        backbone = registry.BACKBONES.build(network["backbone"], image_size=network["image_size"])
        system = triplet(
            backbone,
            num_identities=IDENTITIES,
            identity=True,
            pooling=network.get("pooling", "average"),
            batch_norm_neck=True,
            metric_loss={
                "name": "triplet",
                "margin": "soft",
                "normalize": True,
            },  # without a hinge, where rounding decides
        )
        optimizer = keras.optimizers.SGD(network["rate"], momentum=0.9)
        if task["precision"] == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**8)
        system.compile(optimizer, jit_compile=task["xla"])
    batch = task["batch"] * task["devices"]
    count = batch * max(COMPARED, 4)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *network["image_size"], 3), np.uint8)
    identities = np.arange(count) // IMAGES_EACH % IDENTITIES
    return system, images, dict.fromkeys(system.model.output, identities)


def _speeds(task: dict[str, Any]) -> dict[str, Any]:
    import keras

    from reid_tf.backbones.cost import multiply_adds

    strategy = None
    if task["devices"] > 1 and keras.backend.backend() == "jax":
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    elif task["devices"] > 1:
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy()
    system, images, labels = _prepared(task, strategy)
    batch = task["batch"] * task["devices"]
    steps = len(images) // batch
    rounds = max(1, -(-task["steps"] // steps))
    clock = _clock()
    system.model.fit(
        {"image": images}, labels, batch_size=batch, epochs=1 + rounds, shuffle=False, verbose=0, callbacks=[clock]
    )
    encoder = system.encoder
    encoder.jit_compile = task["xla"]
    encoder.predict({"image": images}, batch_size=batch, verbose=0)
    started = time.perf_counter()
    for _ in range(rounds):
        encoder.predict({"image": images}, batch_size=batch, verbose=0)
    embedding = len(images) * rounds / (time.perf_counter() - started)
    return {
        "training": len(images) / float(np.median(clock.seconds[1:])),
        "embedding": embedding,
        "multiply_adds": multiply_adds(encoder),
    }


def _clock() -> Any:
    import keras

    class Clock(keras.callbacks.Callback):
        """Keeps the seconds of each epoch; the first one compiles."""

        def on_train_begin(self, logs: Any = None) -> None:
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self.began)

    return Clock()
