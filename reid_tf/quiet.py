"""TensorFlow's start without its remarks on processors and missing GPUs, which no setting of its own silences.

They are written by its libraries, past Python, while `import tensorflow` runs. What else
is written meanwhile is passed on. `REID_TF_LOG=debug` lets everything through.
"""

import contextlib
import importlib.abc
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

REMARKS = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog|[IWE]0000 |To enable the following instructions:)"
)


def quiet_tensorflow() -> None:
    """Lets the first `import tensorflow` of this process, wherever it is, run quietly."""
    if os.environ.get("REID_TF_LOG") == "debug" or "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of what comes after the import
    sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow, and has its loader run quietly."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)  # the others find it
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)  # who only asks whether it is installed does not load it
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: Any) -> None:
                sys.meta_path.remove(self)
                with without_remarks(REMARKS):
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def without_remarks(remarks: re.Pattern[bytes]) -> Iterator[None]:
    """Passes on what a library writes to standard error in the block, past Python too, but for some lines.

    Args:
        remarks: pattern of the beginning of a line that is left out.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not remarks.match(line):
                    os.write(2, line)
