"""MATLAB 7.3's `.mat` files, which are HDF5: variables, and cell arrays whose cells are read one by one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from reid_tf.datasets.readers.mat import check_variables, first_bytes, unreadable
from reid_tf.errors import InputError, require_package

if TYPE_CHECKING:
    import h5py  # loaded where such a file is read

_OLDER_KINDS = {b"MATLAB 5.0": "one of the formats 5 to 7.2: save it again with '-v7.3'"}

# What h5py raises for files that end early or hold nonsense.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError)


class Hdf5Mat:
    """An open file of MATLAB 7.3.

    Arrays have MATLAB's axes: HDF5 stores them in reverse order.

    Args:
        file: h5py.File.
        path: Path. Of the file, for the messages.
    """

    def __init__(self, file: "h5py.File", path: Path) -> None:
        self._file, self._path = file, path

    def read(self, item: "str | h5py.Reference") -> np.ndarray:
        """Reads a variable or a cell.

        Args:
            item: str, the name of a variable, or a reference out of `cells()`.

        Returns:
            array with MATLAB's axes; of objects where it is a cell array, and without
            elements where it is empty.

        Raises:
            InputError: it is not an array, or the file is damaged.
        """
        import h5py

        try:
            node = self._file[item]
            if isinstance(node, h5py.Dataset):
                values = np.asarray(node[()])
                # MATLAB stores the lengths of the axes in place of an empty array.
                return np.empty(tuple(values.astype(int))) if "MATLAB_empty" in node.attrs else values.T
        except _UNREADABLE as error:
            raise InputError(f"{str(self._path)!r} is cut off or damaged at {_name(item)} ({error}).") from error
        fields = ", ".join(sorted(node)[:8])
        raise InputError(f"{str(self._path)!r}: {_name(item)} must be an array. Received: a struct of {fields}.")

    def cells(self, item: "str | h5py.Reference") -> np.ndarray:
        """Reads a cell array.

        Args:
            item: as in `read()`.

        Returns:
            array of references, one per cell, with MATLAB's axes.

        Raises:
            InputError: it is not a cell array, or the file is damaged.
        """
        import h5py

        values = self.read(item)
        if values.size and not isinstance(values.flat[0], h5py.Reference):
            raise InputError(
                f"{str(self._path)!r}: {_name(item)} must be a cell array. Received: {values.dtype} "
                f"{list(values.shape)}."
            )
        return values


@contextlib.contextmanager
def open_hdf5_mat(path: str | Path, variables: tuple[str, ...]) -> Iterator[Hdf5Mat]:
    """Opens a `.mat` file of MATLAB 7.3.

    Args:
        path: str or Path.
        variables: tuple of str. The variables that must be there.

    Yields:
        `Hdf5Mat`.

    Raises:
        InputError: the file is missing, is of another kind, is cut off, or lacks a
            variable; or h5py is missing.
    """
    require_package("h5py", f"The .mat file {str(path)!r}")
    import h5py

    path = Path(path)
    start = first_bytes(path, "MATLAB 7.3 file", _OLDER_KINDS)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(path, "r"))
            found = [name for name in file if not name.startswith("#")]  # "#refs#" holds the cells
        except _UNREADABLE as error:
            raise InputError(unreadable(path, start, error)) from error
        check_variables(path, variables, found)
        yield Hdf5Mat(file, path)


def _name(item: "str | h5py.Reference") -> str:
    return repr(item) if isinstance(item, str) else "a cell"
