from pathlib import Path

import pytest

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.msmt17 import VERSIONS
from reid_tf.errors import InputError
from tests.datasets.made_datasets import places

LISTED = {
    "list_train.txt": ("0000/0000_000_01_0303morning_0008_0.jpg 0", "0001/0001_000_05_0303noon_0015_1_ex.jpg 1"),
    "list_val.txt": ("0001/0001_001_12_0303noon_0016_1.jpg 1",),
    "list_query.txt": ("0000/0000_000_14_0113evening_1466_0.jpg 0",),
    "list_gallery.txt": ("0000/0000_001_03_0113evening_1467_0.jpg 0", "0001/0001_000_03_0113noon_0001_0.jpg 1"),
}


@pytest.fixture
def make(tmp_path, write_images):
    def make(version: str = "V1", inside: str = "MSMT17_V1") -> Path:
        folders = dict(zip(LISTED, sorted(VERSIONS[version] * 2, reverse=True), strict=True))
        root = tmp_path / inside
        for name, lines in LISTED.items():
            write_images(root / folders[name], [line.split()[0] for line in lines])
            (root / name).write_text("".join(f"{line}\n" for line in lines))
        return root

    return make


@pytest.mark.parametrize(("version", "inside"), [("V1", "MSMT17_V1"), ("V2", "MSMT17_V2"), ("V2", ".")])
def test_lists_become_records_and_the_tested_are_other_people(tmp_path, make, version, inside):
    make(version, inside)
    dataset = load_dataset("msmt17", str(tmp_path))
    assert places(dataset.train) == [
        ("0000_000_01_0303morning_0008_0.jpg", 0, 1),
        ("0001_000_05_0303noon_0015_1_ex.jpg", 1, 5),
        ("0001_001_12_0303noon_0016_1.jpg", 1, 12),
    ]
    assert places(dataset.query) == [("0000_000_14_0113evening_1466_0.jpg", 2, 14)]
    assert [place[1:] for place in places(dataset.gallery)] == [(2, 3), (3, 3)]
    assert all(Path(record.path).is_file() for split in dataset.splits().values() for record in split)


def test_without_the_validation_list(make):
    assert len(load_dataset("msmt17", str(make()), validation_list=False).train) == 2


def spoil_line(root: Path) -> None:
    (root / "list_query.txt").write_text("0000/0000_000_14_0113evening_1466_0.jpg 7\n")


def list_twice(root: Path) -> None:
    with (root / "list_gallery.txt").open("a") as file:
        file.write(LISTED["list_query.txt"][0] + "\n")


def lose_an_image(root: Path) -> None:
    (root / "train" / "0000" / "0000_000_01_0303morning_0008_0.jpg").unlink()


def add_an_image(root: Path) -> None:
    (root / "test" / "0001" / "0001_000_03_0113noon_0002_0.jpg").write_bytes(b"")


def lose_a_list(root: Path) -> None:
    (root / "list_val.txt").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_line, r"Line 1 of '.*list_query\.txt' must be like .*one number for the person.*Received: '0000/.* 7'"),
        (list_twice, r"folder '.*test' disagree: 1 images are listed twice, the first being '.*1466_0\.jpg'"),
        (lose_an_image, r"folder '.*train' disagree: 1 images are listed but not there, the first being '.*0008_0"),
        (add_an_image, r"1 images are there but not listed, the first being '.*noon_0002_0\.jpg'"),
        (lose_a_list, r"needs list_train\.txt, .*train and test or mask_train_v2 and mask_test_v2; found in"),
    ],
)
def test_what_is_wrong_is_named(make, spoil, message):
    root = make()
    spoil(root)
    with pytest.raises(InputError, match=message):
        load_dataset("msmt17", str(root))
