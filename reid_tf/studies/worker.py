"""One of several workers, kept at work: when another one goes away, it waits for that and the run goes on."""

import functools
import logging
from pathlib import Path

from reid_tf.config import ExperimentConfig
from reid_tf.errors import InputError
from reid_tf.studies.own_process import Training, try_in_own_process
from reid_tf.studies.runs import epochs_done, is_interrupted
from reid_tf.training.train import train
from reid_tf.training.workers import WorkerLostError, Workers

logger = logging.getLogger(__name__)

_GIVE_UP_AFTER = 3


def work(
    config: ExperimentConfig,
    run_directory: str | Path,
    workers: Workers,
    resume: bool = False,
    training: Training = train,
) -> None:
    """Trains together with other workers, as often as it takes.

    TensorFlow cannot take back a worker that went away while the others stay as they
    are, so the training is a process of its own. Where another worker goes away, each
    that stays ends its process, waits for the one that is missing as long as its
    patience lasts, and goes on from the chief's last checkpoint.

    Args:
        config: `ExperimentConfig`. The same on all workers.
        run_directory: str or Path. Where the chief writes.
        workers: `Workers`.
        resume: bool. Whether the chief goes on with an interrupted run.
        training: function that also takes `workers=`, found by its name in the new
            process.

    Raises:
        InputError: as in `train()`, the process of this worker ended, or, on the chief,
            others went away three times without an epoch in between.
    """
    reached, losses = -1, 0
    while True:
        together = functools.partial(training, workers=workers)
        error = try_in_own_process(config, run_directory, resume, together)
        if error is None:
            return
        if not isinstance(error, WorkerLostError):
            raise error
        resume = workers.is_chief and is_interrupted(Path(run_directory))
        epochs = epochs_done(Path(run_directory)) if resume else 0
        reached, losses = epochs, losses + 1 if epochs == reached else 1
        if workers.is_chief and losses == _GIVE_UP_AFTER:
            raise InputError(
                f"{error} That was the {losses}rd time without an epoch in between: what this worker and the others "
                "have written says why."
            )
        begin = "from the last checkpoint" if resume or not workers.is_chief else "from its beginning"
        logger.warning(
            "%s Start it again: it is waited for up to %g seconds, and the run goes on %s.",
            error,
            workers.patience,
            begin,
        )
