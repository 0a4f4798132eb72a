"""One model on several servers: requests take turns, and what one server cannot answer goes to the next."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.serving.rest import RestModel, ServerUnavailableError

REST_S = 5.0  # a server that did not answer is not asked for so long, unless no other is left
_PAUSE_S = 0.2  # before all are asked again; doubled each time

_LOG = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class BalancedModel:
    """Asks several servers about one model, each in its turn.

    A server that cannot be reached, does not answer in time or is busy is passed over
    for `REST_S` seconds and its request goes to the next one; a request that a server
    calls wrong is wrong for all.

    Args:
        urls: sequence of str. The servers, all with the same model.
        model_name: str. As in `RestModel`.
        version: int, or None. As in `RestModel`.
        timeout_s: float. Seconds that one server has for an answer.
        retries: int. How often all servers are asked again after none of them answered,
            with growing pauses.

    Raises:
        InputError: there is no URL, one stands twice, or as in `RestModel`.
    """

    def __init__(
        self, urls: Sequence[str], model_name: str, version: int | None, timeout_s: float, retries: int
    ) -> None:
        if not urls or len(set(urls)) < len(urls):
            raise InputError(f"The servers must be at least one, each with a URL of its own. Received: {list(urls)}.")
        self._retries = whole_number("retries", retries, least=0)
        self._servers = [RestModel(url, model_name, version, timeout_s, retries=0) for url in urls]
        self._rests_until = [0.0] * len(urls)
        self._turn = 0

    def get(self, what: str = "") -> dict[str, Any]:
        """Returns what a server says of the model, as `RestModel.get`."""
        return self._ask(lambda server: server.get(what))

    def states(self) -> dict[int, str]:
        """Returns the state of each of the model's versions on a server that answers, as `RestModel.states`."""
        return self._ask(RestModel.states)

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Runs a signature of the model on one of the servers, as `RestModel.predict`."""
        return self._ask(lambda server: server.predict(signature, inputs))

    def signature(self, name: str) -> dict[str, Any]:
        """Returns what a server says of a signature, as `RestModel.signature`."""
        return self._ask(lambda server: server.signature(name))

    def close(self) -> None:
        """Closes the connections; a later request opens new ones."""
        for server in self._servers:
            server.close()

    def _ask(self, question: Callable[[RestModel], _Answer]) -> _Answer:
        reasons: dict[str, str] = {}
        for attempt in range(self._retries + 1):
            if attempt:
                time.sleep(_PAUSE_S * 2 ** (attempt - 1))
            for index in self._in_turn():
                try:
                    answer = question(self._servers[index])
                except ServerUnavailableError as error:
                    reasons[self._servers[index].url] = str(error)
                    self._rests_until[index] = time.monotonic() + REST_S
                    _LOG.warning("%s It rests for %g seconds, and others are asked.", error, REST_S)
                else:
                    self._rests_until[index] = 0.0
                    return answer
        raise ServerUnavailableError(f"None of {len(self._servers)} servers answers: {' '.join(reasons.values())}")

    def _in_turn(self) -> list[int]:
        """The servers in the order in which they are asked: who comes next first, who rests last."""
        count, now = len(self._servers), time.monotonic()
        order = [(self._turn + offset) % count for offset in range(count)]
        self._turn = (self._turn + 1) % count
        return sorted(order, key=lambda index: self._rests_until[index] > now)
