"""CUHK03's MATLAB file as it was released, with few persons and small images."""

from pathlib import Path

import h5py
import numpy as np

# Camera pair and person: the numbers of the images that are there. 1 to 5 are the first camera's, 6 to 10 the second's.
PERSONS = {
    (1, 1): (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    (1, 2): (1, 2, 6),
    (1, 3): (2, 7, 10),
    (2, 1): (1, 6, 7),
    (2, 2): (5, 10),
    (3, 1): (1, 6),
    (4, 1): (1, 2, 8),
    (5, 1): (3, 9),
    (5, 2): (6,),
}
TEST_SETS = [[(1, 2), (2, 1)], [(1, 3), (5, 2)], [(5, 1), (4, 1)]]


def image_of(pair: int, person: int, index: int, boxes: str = "detected") -> np.ndarray:
    """Returns the uint8 [height, width, 3] RGB image of a person; every image has its own size and pixels."""
    generator = np.random.default_rng([pair, person, index, len(boxes)])
    return generator.integers(0, 256, (10 + index, 4 + person, 3), np.uint8)


def write_release(path: Path, test_sets=TEST_SETS, persons=None, change=None) -> None:
    """Writes `cuhk-03.mat`.

    Args:
        path: Path.
        test_sets: rows of (camera pair, person), both from 1, of each split.
        persons: as `PERSONS`, or None for those.
        change: function of the open file and its `#refs#` group, called at the end, or None.
    """
    persons = PERSONS if persons is None else persons
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_group("#refs#")
        for boxes in ("detected", "labeled"):
            pairs = [_pair(file, cells, persons, pair, boxes) for pair in range(1, 6)]
            _write_cells(file, boxes, [pairs])
        sets = [_array(cells, np.array(rows, float).T).ref for rows in test_sets]
        _write_cells(file, "testsets", [sets])
        if change is not None:
            change(file, cells)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2014 HDF5 schema 1.00 .")


def _pair(file, cells, persons, pair, boxes):
    count = max(person for of_pair, person in persons if of_pair == pair)
    references = np.empty((10, count), object)  # MATLAB's [persons, 10]
    for person in range(1, count + 1):
        for index in range(1, 11):
            if index in persons.get((pair, person), ()):
                node = _array(cells, image_of(pair, person, index, boxes).T)
            else:
                node = _array(cells, np.zeros(2, np.uint64))
                node.attrs["MATLAB_empty"] = np.uint8(1)
            references[index - 1, person - 1] = node.ref
    return _write_cells(cells, str(len(cells)), references).ref


def _array(group, values):
    return group.create_dataset(str(len(group)), data=values)


def _write_cells(group, name, references):
    cells = group.create_dataset(name, np.shape(references), h5py.ref_dtype)
    for place in np.ndindex(cells.shape):
        cells[place] = np.array(references, object)[place]
    cells.attrs["MATLAB_class"] = np.bytes_("cell")
    return cells
