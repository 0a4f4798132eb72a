"""A training in a process of its own."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.training.train import train

Training = Callable[..., object]


class ProcessEndedError(InputError):
    """A process ended without a sentence of its own: a fault, or memory ran out."""


def train_in_own_process(
    config: ExperimentConfig,
    run_directory: str | Path,
    resume: bool = False,
    training: Training = train,
    level: int | None = None,
) -> str:
    """Trains as `try_in_own_process()` does.

    Args:
        config: as in `train()`.
        run_directory: as in `train()`.
        resume: as in `train()`.
        training: as in `try_in_own_process()`.
        level: as in `try_in_own_process()`.

    Returns:
        "" where the run is finished, otherwise the sentence that says why it is not.
    """
    return str(try_in_own_process(config, run_directory, resume, training, level) or "")


def try_in_own_process(
    config: ExperimentConfig,
    run_directory: str | Path,
    resume: bool = False,
    training: Training = train,
    level: int | None = None,
) -> InputError | None:
    """Calls `train()`, or another training, in a new process and waits for its end.

    TensorFlow keeps memory for every model that its process has trained (some 30 MiB
    for a tiny one, in spite of `keras.backend.clear_session()`), and a GPU's memory
    altogether. A process of its own gives all of it back, starts from the state that a
    single training starts from, and takes nobody with it when memory runs out. It ends
    when the calling process does. A script calls this under `if __name__ ==
    "__main__"`.

    Args:
        config: as in `train()`.
        run_directory: as in `train()`.
        resume: as in `train()`.
        training: function of these three, found by its name in the new process:
            `train`, `train_trial` or a `functools.partial` of one.
        level: int, or None for this process's. From which on the new process logs.

    Returns:
        None where the run is finished, otherwise what says why it is not: the
        `InputError` of the training, or a `ProcessEndedError` that says how the process
        ended, whose traceback is then on standard error.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    receiver, sender = context.Pipe(duplex=False)
    shown = logging.getLogger().getEffectiveLevel() if level is None else level
    arguments = (sender, training, config, str(run_directory), resume, shown)
    process = context.Process(target=_train, args=arguments)
    # Ctrl-C reaches all processes of a terminal at once; this one ends the other.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    process.start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()  # the process has its own, so that its end is seen here
    try:
        ended, error = True, receiver.recv()
    except EOFError:
        ended, error = False, None
    except KeyboardInterrupt:
        process.terminate()
        raise
    finally:
        process.join()
    return error if ended else ProcessEndedError(_how_it_ended(process.exitcode))


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"The run was ended by signal {-exit_code}; 9 is what the system sends when memory runs out."
    return f"The process of the run ended with exit code {exit_code}, after the traceback in the output."


def _train(
    sender: Connection, training: Training, config: ExperimentConfig, run_directory: str, resume: bool, level: int
) -> None:
    """What the new process does."""
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stdout)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        training(config, run_directory, resume)
    except InputError as error:
        sender.send(error)
    else:
        sender.send(None)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
