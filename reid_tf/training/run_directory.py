"""A run's folder: worked on under another name, renamed when it is complete."""

import os
import shutil
from pathlib import Path

from reid_tf.errors import InputError


class RunDirectory:
    """Where a run writes. Until `finish()` everything lies in `NAME.unfinished`; `NAME` appears complete or never.

    Args:
        path: str or Path. The final name.
        resume: bool. Whether to go on from an interrupted run of that name.

    Raises:
        InputError: the name is taken, an interrupted run is in the way, or there is
            none to resume.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        self.final, self.resume = Path(path), resume
        self.path = self.final.with_name(self.final.name + ".unfinished")
        if self.final.exists():
            raise InputError(f"The run directory {str(self.final)!r} exists already; give another name or remove it.")
        if resume and not self.state.exists():
            raise InputError(f"There is no interrupted run to resume: {str(self.state)!r} does not exist.")
        if not resume and self.state.exists():
            raise InputError(
                f"{str(self.path)!r} holds an interrupted run; resume it (--resume --out {self.final}) or remove it."
            )

    def make(self) -> None:
        """Makes the folders to work in; what a run left that ended before its first checkpoint goes."""
        if not self.resume:
            shutil.rmtree(self.path, ignore_errors=True)
        for folder in (self.checkpoints, self.report, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoints(self) -> Path:
        """Weights of the last and the best epoch, and the state that resuming needs."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """Pictures and the per-query table."""
        return self.path / "report"

    @property
    def logs(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "logs"

    @property
    def state(self) -> Path:
        """The file that says up to which epoch the run is safe."""
        return self.checkpoints / "state.json"

    def finish(self) -> Path:
        """Gives the folder its final name and returns that."""
        os.replace(self.path, self.final)
        return self.final
