"""Small data sets in files."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.datasets.made_datasets import MARKET_NAMES, encoded_image


@pytest.fixture
def write_images() -> Callable[[Path, Iterable[str]], None]:
    """A function that writes images under a folder, by their relative names."""

    def write(root: Path, names: Iterable[str]) -> None:
        for seed, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(encoded_image(seed, Path(name).suffix))

    return write


@pytest.fixture
def market_root(tmp_path: Path, write_images: Callable[[Path, Iterable[str]], None]) -> Path:
    """A folder in Market-1501's layout: junk, a distractor, multi-query boxes and files that are no images."""
    root = tmp_path / "market"
    write_images(root, (f"{folder}/{name}" for folder, names in MARKET_NAMES.items() for name in names))
    (root / "query" / "Thumbs.db").write_bytes(b"left by a file manager")
    (root / "query" / "._0001_c1s1_001051_00.jpg").write_bytes(b"left by another one")
    return root
