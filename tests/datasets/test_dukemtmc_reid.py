import pytest
from made_datasets import places

from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError

NAMES = (
    "bounding_box_train/0001_c2_f0046182.jpg",
    "query/0005_c2_f0046985.jpg",
    "bounding_box_test/7140_c8_f0056473.jpg",
)


def test_names_become_records(tmp_path, write_images):
    write_images(tmp_path / "DukeMTMC-reID", NAMES)
    for root in (tmp_path, tmp_path / "DukeMTMC-reID"):
        dataset = load_dataset("dukemtmc_reid", str(root))
        assert dataset.name == "dukemtmc_reid"
        assert places(dataset.train) == [("0001_c2_f0046182.jpg", 1, 2)]
        assert places(dataset.query) == [("0005_c2_f0046985.jpg", 5, 2)]
        assert places(dataset.gallery) == [("7140_c8_f0056473.jpg", 7140, 8)]


def test_a_missing_set_is_not_linked_to(tmp_path):
    with pytest.raises(
        InputError, match=r"'dukemtmc_reid' needs bounding_box_train.*found in .*: nothing \(the authors withdrew"
    ):
        load_dataset("dukemtmc_reid", str(tmp_path))
