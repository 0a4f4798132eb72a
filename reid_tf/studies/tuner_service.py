"""KerasTuner's own service: one process, the chief, proposes the trials of a search, and others train them."""

import contextlib
import dataclasses
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from reid_tf.errors import InputError, one_line
from reid_tf.options import host_and_port

logger = logging.getLogger(__name__)

PATIENCE = 60.0
CHIEF = "chief"
_VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")


@dataclasses.dataclass(frozen=True)
class TunerService:
    """Where the chief of a search is, and who this process is.

    Args:
        address: "host:port" of the chief.
        name: str. "chief", or the name of a worker; no two have the same. A worker that
            is started again under its name goes on with its trial.
        patience: float. Seconds without a sign after which a worker's trial is given to
            another one, and that a worker waits for the chief.

    Raises:
        InputError: the address is not host:port, or there is no name.
    """

    address: str
    name: str
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        host_and_port(self.address)
        if not self.name:
            raise InputError(f"A tuner needs a name: chief, or one of its own. Received: {self.name!r}.")

    @property
    def is_chief(self) -> bool:
        """Whether this process proposes the trials."""
        return CHIEF in self.name  # as KerasTuner tells

    def join(self) -> None:
        """Tells KerasTuner; makes sure that the chief can be reached or, on the chief, that its port is free.

        Raises:
            InputError: the port is in use, or the chief does not come in time.
        """
        host, port = host_and_port(self.address)
        os.environ.update(zip(_VARIABLES, (host, str(port), self.name), strict=True))
        if not self.is_chief:
            self._wait_for_chief()
            return
        try:
            socket.create_server((host, port)).close()
        except OSError as error:
            raise InputError(
                f"The chief's address cannot be opened here ({error.strerror or error}); choose another one. "
                f"Received: {self.address!r}."
            ) from error

    def _wait_for_chief(self) -> None:
        end = time.monotonic() + self.patience
        while True:
            try:
                socket.create_connection(host_and_port(self.address), timeout=1).close()
            except OSError as error:
                if time.monotonic() > end:
                    raise InputError(
                        f"No chief of a search answered within {self.patience:g} seconds: start it first. "
                        f"Received: {self.address!r}."
                    ) from error
                time.sleep(0.2)
            else:
                return

    @contextlib.contextmanager
    def working_on(self, oracle: Any, trial_id: str) -> Iterator[None]:
        """Gives the chief a sign every few seconds while the block runs.

        Args:
            oracle: keras_tuner's client of the chief.
            trial_id: str. The trial that is trained.
        """
        with _again_and_again(lambda: oracle.get_trial(trial_id), self.patience / 6, "a sign to the chief"):
            yield

    @contextlib.contextmanager
    def watching(self, oracle: Any) -> Iterator[None]:
        """Gives the trials of workers that are silent for too long to others, while the block runs; for the chief.

        Args:
            oracle: keras_tuner.Oracle that is served.
        """
        heard: dict[str, float] = {}
        create, get = oracle.create_trial, oracle.get_trial

        def create_trial(tuner_id: str) -> Any:
            heard[tuner_id] = time.monotonic()
            return create(tuner_id)

        def get_trial(trial_id: str) -> Any:
            for tuner_id, trial in list(oracle.ongoing_trials.items()):
                if trial.trial_id == trial_id:
                    heard[tuner_id] = time.monotonic()
            return get(trial_id)

        def look() -> None:
            for tuner_id in {*oracle.ongoing_trials, *oracle.tuner_ids}:
                silent = time.monotonic() - heard.setdefault(tuner_id, time.monotonic())
                if silent > self.patience:
                    self._give_away(oracle, tuner_id, silent)

        oracle.create_trial, oracle.get_trial = create_trial, get_trial
        with _again_and_again(look, self.patience / 12, "a look at the workers"):
            yield

    def _give_away(self, oracle: Any, tuner_id: str, silent: float) -> None:
        trial = oracle.ongoing_trials.get(tuner_id)
        if trial is not None:
            logger.warning(
                "The worker %r has been silent for %.0f seconds: its trial %d is given to the next one that asks.",
                tuner_id,
                silent,
                int(trial.trial_id) + 1,
            )
            trial.status = "INVALID"  # what KerasTuner tries again
            oracle.end_trial(trial)
        oracle.tuner_ids.discard(tuner_id)


@contextlib.contextmanager
def _again_and_again(work: Callable[[], object], seconds: float, what: str) -> Iterator[None]:
    """Calls a function every so many seconds while the block runs; where it fails, the log says so, and it goes on."""
    from grpc import RpcError

    done = threading.Event()

    def repeat() -> None:
        while not done.wait(seconds):
            try:
                work()
            except (RpcError, RuntimeError, KeyError, ValueError, OSError) as error:
                logger.warning("%s failed (%s); the next one is in %g seconds", what, one_line(error), seconds)

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(1.0)  # a call to a chief that is away takes longer, and holds nobody up


def service_of_environment() -> TunerService | None:
    """Reads KerasTuner's variables.

    Returns:
        `TunerService`, or None where they are not set.

    Raises:
        InputError: one of the three is missing, or as `TunerService`.
    """
    given = {name: os.environ.get(name, "") for name in _VARIABLES}
    if not any(given.values()):
        return None
    if not all(given.values()):
        raise InputError(f"KerasTuner's variables belong together. Received: {given}.")
    host, port, name = given.values()
    return TunerService(f"{host}:{port}", name)
