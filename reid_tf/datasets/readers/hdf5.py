"""HDF5 files: MATLAB 7.3's `.mat` files, and a check that a file, weights and models too, holds its data itself.

HDF5 lets a file name others, by links and as the storage of its arrays: one that is
downloaded could have any file of the machine read in as data.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from reid_tf.datasets.readers.mat import check_variables, first_bytes, unreadable
from reid_tf.errors import InputError, require_package

if TYPE_CHECKING:
    import h5py  # loaded where such a file is read

_OLDER_KINDS = {b"MATLAB 5.0": "one of the formats 5 to 7.2: save it again with '-v7.3'"}

# What h5py raises for files that end early or hold nonsense.
_UNREADABLE = (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError)


_COMPRESSED_BY = 1100  # at most, by deflate


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
            if _is_elsewhere(node):
                raise InputError(_elsewhere(self._path, _name(item)))
            if isinstance(node, h5py.Dataset):
                if node.nbytes > max(_COMPRESSED_BY * node.id.get_storage_size(), 2**20):
                    raise ValueError(f"{node.nbytes:,} bytes are claimed, and {node.id.get_storage_size():,} stored")
                values = np.asarray(node[()])
                # MATLAB stores the lengths of the axes in place of an empty array.
                return np.empty(_empty(values)) if "MATLAB_empty" in node.attrs else values.T
        except InputError:
            raise
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
        InputError: the file is missing, is of another kind, is cut off, lacks a variable
            or names other files; or h5py is missing.
    """
    require_package("h5py", f"The .mat file {str(path)!r}")
    import h5py

    path = Path(path)
    start = first_bytes(path, "MATLAB 7.3 file", _OLDER_KINDS)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(h5py.File(path, "r"))
            links = {name: type(file.get(name, getlink=True)) for name in file}
            found = [name for name in file if not name.startswith("#")]  # "#refs#" holds the cells
        except _UNREADABLE as error:
            raise InputError(unreadable(path, start, error)) from error
        for name, link in links.items():
            if link is not h5py.HardLink:
                raise InputError(_elsewhere(path, repr(name)))
        check_variables(path, variables, found)
        yield Hdf5Mat(file, path)


def refuse_other_files(path: str | Path) -> None:
    """Refuses weights and models whose HDF5 files name other files: by links, or as the storage of their arrays.

    Args:
        path: str or Path. An HDF5 file, or a `.keras` archive that holds some. What is
            missing, damaged or something else passes: whoever reads it says so.

    Raises:
        InputError: a link leads elsewhere, or an array is stored elsewhere.
    """
    import h5py

    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            opened: list[Any] = [path] if h5py.is_hdf5(path) else []
            if zipfile.is_zipfile(path):  # a file can be both
                archive = stack.enter_context(zipfile.ZipFile(path))
                opened += [stack.enter_context(archive.open(n)) for n in archive.namelist() if n.endswith(".h5")]
            files = [stack.enter_context(h5py.File(file, "r")) for file in opened]
        except (*_UNREADABLE, zipfile.BadZipFile):
            return
        for file in files:
            place = _first_elsewhere(file)
            if place is not None:
                raise InputError(_elsewhere(path, repr(place)))


def _first_elsewhere(file: "h5py.File") -> str | None:
    import h5py

    def visit(name: str, link: Any) -> str | None:
        return name if not isinstance(link, h5py.HardLink) or _is_elsewhere(file[name]) else None

    try:
        place: str | None = file.visititems_links(visit)
    except _UNREADABLE as error:  # a damaged part, or a link of a kind that a program defines for itself
        return str(error)
    return place


def _empty(lengths: np.ndarray) -> tuple[int, ...]:
    if 0 not in lengths:
        raise ValueError(f"an empty array has the lengths {lengths.tolist()}")
    return tuple(lengths.astype(int).tolist())


def _is_elsewhere(node: Any) -> bool:
    import h5py

    return isinstance(node, h5py.Dataset) and (node.external is not None or node.is_virtual)


def _elsewhere(path: Path, place: str) -> str:
    return f"{str(path)!r} must hold its data itself, and names another file or place at {place}."


def _name(item: "str | h5py.Reference") -> str:
    return repr(item) if isinstance(item, str) else "a cell"
