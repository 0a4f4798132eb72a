"""A run's folder: worked on under another name, renamed when it is complete."""

import io
import os
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

from reid_tf.config import ExperimentConfig, load_config
from reid_tf.errors import InputError
from reid_tf.files import remove_leftovers, unfinished

RUN_FILES = ("config.yaml", "manifest.json", "history.csv")  # of every finished run, also one that is not judged


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
        self.path = unfinished(self.final)
        self._begun: os.stat_result | None = None
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
        if self.resume:
            remove_leftovers(self.path)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
        for folder in (self.checkpoints, self.report, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self._begun = self.path.stat()

    def packed(self) -> bytes:
        """Returns what another machine needs to go on with the interrupted run: its configuration and checkpoints."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for path in (self.path / "config.yaml", *sorted(self.checkpoints.iterdir())):
                archive.write(path, path.relative_to(self.path))
        return content.getvalue()

    def unpack(self, content: bytes) -> None:
        """Makes this the interrupted run that another machine has packed.

        Args:
            content: bytes. What `packed()` returned there.
        """
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(self.path)
        self.resume = True

    def check(self, files: Iterable[str] = ()) -> None:
        """Makes sure that nobody has moved or removed the folder since `make()`.

        Args:
            files: names of files that must be in it.

        Raises:
            InputError: the folder or a file is gone.
        """
        if self._begun and not (self.path.exists() and os.path.samestat(self._begun, self.path.stat())):
            raise InputError(
                f"The folder that the run writes, {str(self.path)!r}, was moved or removed meanwhile: put it back and "
                "go on with --resume, or begin again."
            )
        for name in files:
            if not (self.path / name).is_file():
                raise InputError(
                    f"The run cannot be finished, as {str(self.path / name)!r} was removed or moved meanwhile: put it "
                    "back and go on with --resume, or begin again."
                )

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

    def finish(self, files: Iterable[str] = ()) -> Path:
        """Gives the folder its final name and returns that.

        Args:
            files: names of files without which the run is not complete.

        Raises:
            InputError: one is not there, or the folder has been moved or removed.
        """
        self.check(files)
        os.replace(self.path, self.final)
        return self.final


def check_same_recipe(config: ExperimentConfig, folder: Path) -> ExperimentConfig:
    """Makes sure that a run, finished or interrupted, was begun with a configuration.

    Args:
        config: `ExperimentConfig`.
        folder: Path. Where the run is or was written.

    Returns:
        The run's own `ExperimentConfig`, in which the data set may lie elsewhere.

    Raises:
        InputError: it was begun with another one.
    """
    begun = load_config(folder / "config.yaml")
    key = config.differing_key(begun)
    if key is not None:
        raise InputError(
            f"{str(folder)!r} holds a run of another configuration, with {key}={begun.to_dict()[key]!r}; give another "
            f"--out or remove it. Received: {key}={config.to_dict()[key]!r}."
        )
    return begun


def check_same_data(data_hash: str, begun_with: str, folder: Path, root: str | None) -> None:
    """Raises an `InputError` where a run was begun with other data.

    Args:
        data_hash: str. Of the data as they are now.
        begun_with: str. What the run keeps.
        folder: Path. Where the run is written.
        root: str, or None. Where the data lie now.
    """
    if data_hash != begun_with:
        raise InputError(
            f"{str(folder)!r} holds a run on other images or identities (data hash {begun_with[:12]}...). Received: "
            f"root={root!r}, whose data hash is {data_hash[:12]}..."
        )
