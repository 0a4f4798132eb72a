"""Python functions that tf.data calls, made safe at the end of the process.

The threads of a pipeline run ahead of its reader. One that is inside a Python function
when the interpreter ends never comes back, and the process hangs instead of ending. So,
before the interpreter ends, the functions here refuse further work, which ends the
pipelines, and those at work are waited for.
"""

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

_LONGEST_WAIT = 10.0
_WAY_BACK = 0.1  # seconds in which TensorFlow, too, leaves the Python code that it has around a function


class PythonCalls:
    """Counts the functions that run in pipelines at this moment, and ends them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running, self._ending, self._used = 0, False, False

    def function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function that does the same until the process ends, and then raises `RuntimeError`."""

        def call(*arguments: Any) -> Any:
            with self._running_call() as allowed:
                if not allowed:
                    raise RuntimeError(f"The process is ending. Not called: {function!r}.")
                return function(*arguments)

        return call

    def stream(self, make: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
        """Returns a function that makes the same iterator, which stops when the process ends."""

        def elements() -> Iterator[Any]:
            iterator, nothing = make(), object()
            while True:
                with self._running_call() as allowed:
                    element = next(iterator, nothing) if allowed else nothing
                if element is nothing:
                    return
                yield element

        return elements

    def end(self) -> None:
        """Lets no function begin any more, and returns when none runs."""
        with self._changed:
            self._ending = True
            self._changed.wait_for(lambda: self._running == 0, _LONGEST_WAIT)
        if self._used:
            time.sleep(_WAY_BACK)

    @contextlib.contextmanager
    def _running_call(self) -> Iterator[bool]:
        with self._changed:
            allowed = not self._ending
            self._used = True
            self._running += 1
        try:
            yield allowed
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()


CALLS = PythonCalls()
atexit.register(CALLS.end)
