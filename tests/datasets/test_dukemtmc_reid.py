import pytest

from reid_tf.datasets.attributes.files import write_duke_attributes, write_market_attributes
from reid_tf.datasets.attributes.schema import DUKEMTMC_SCHEMA
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from tests.datasets.made_datasets import places

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


def test_attributes_come_with_the_identities(tmp_path, write_images):
    write_images(tmp_path, NAMES)
    assert load_dataset("dukemtmc_reid", str(tmp_path)).attribute_schema is None
    write_duke_attributes(tmp_path / "duke_attribute.mat", {1: (1,) * 10}, {5: (0,) * 10})
    dataset = load_dataset("dukemtmc_reid", str(tmp_path))
    assert dataset.attribute_schema is DUKEMTMC_SCHEMA
    assert [split[0].attributes for split in (dataset.train, dataset.query, dataset.gallery)] == [
        (1,) * 10,
        (0,) * 10,
        None,
    ]
    write_duke_attributes(tmp_path / "half.mat", {5: (0,) * 10}, {})
    with pytest.raises(InputError, match=r"'.*half.mat' has no attributes for 1 identity of the images: 1"):
        load_dataset("dukemtmc_reid", str(tmp_path), attributes=str(tmp_path / "half.mat"))
    write_market_attributes(tmp_path / "market_attribute.mat", {1: (0,) * 12}, {5: (0,) * 12})
    with pytest.raises(InputError, match=r"schema of another data set.*not 'duke_attribute'"):
        load_dataset("dukemtmc_reid", str(tmp_path), attributes=str(tmp_path / "market_attribute.mat"))


def test_a_missing_set_is_not_linked_to(tmp_path):
    with pytest.raises(
        InputError, match=r"'dukemtmc_reid' needs bounding_box_train.*found in .*: nothing \(the authors withdrew"
    ):
        load_dataset("dukemtmc_reid", str(tmp_path))


def test_occluded_duke_has_the_same_names(tmp_path, write_images):
    with pytest.raises(InputError, match=r"'occluded_duke' needs .*the authors of DukeMTMC withdrew"):
        load_dataset("occluded_duke", str(tmp_path))
    write_images(tmp_path / "Occluded_Duke", NAMES)
    dataset = load_dataset("occluded_duke", str(tmp_path))
    assert dataset.name == "occluded_duke"
    assert places(dataset.query) == [("0005_c2_f0046985.jpg", 5, 2)]
