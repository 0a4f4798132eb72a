import pytest

from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from tests.datasets.made_datasets import MARKET_NAMES

DUKE = (
    *("bounding_box_train/0001_c2_f0046182.jpg", "bounding_box_train/0002_c1_f0046182.jpg"),
    *("query/0005_c2_f0046985.jpg", "bounding_box_test/0005_c8_f0056473.jpg"),
)


@pytest.fixture
def components(market_root, tmp_path, write_images):
    write_images(tmp_path / "duke", DUKE)
    return [
        {"name": "market1501", "root": str(market_root)},
        {"name": "dukemtmc_reid", "root": str(tmp_path / "duke")},
    ]


def test_people_and_cameras_are_their_own(components):
    alone = [load_dataset(**component) for component in components]
    joined = load_dataset("sources", sources=components)
    assert joined.name == "sources"
    assert joined.sources == ("market1501", "dukemtmc_reid")
    for split in ("train", "query", "gallery", "multi_query"):
        records = joined.splits()[split]
        before = [record for dataset in alone for record in dataset.splits()[split]]
        assert [record.path for record in records] == [record.path for record in before]
        for record, old in zip(records, before, strict=True):
            source = joined.source_of(record)
            assert ("duke" in record.path) == (source == "dukemtmc_reid")
            assert joined.identity_names[record.identity] == f"{source}/{old.identity}"
    everyone = {(joined.source_of(record), record.identity) for split in joined.splits().values() for record in split}
    assert len(everyone) == len({identity for _, identity in everyone})
    assert joined.num_identities == sum(dataset.num_identities for dataset in alone)
    assert len(joined.camera_sources) == len({record.camera for s in joined.splits().values() for record in s})


def test_one_data_set_has_no_sources(market_root):
    dataset = load_dataset("market1501", str(market_root))
    assert dataset.sources == ()
    assert dataset.source_of(dataset.train[0]) == "market1501"


def test_attributes_stay_where_all_have_the_same(tmp_path, caplog):
    drawn = {"name": "synthetic", "root": str(tmp_path), "identities": 6, "images_per_identity": 3}
    twice = [drawn, {**drawn, "seed": 1, "as": "others"}]
    joined = load_dataset("sources", sources=twice)
    assert joined.attribute_schema == load_dataset(**drawn).attribute_schema
    assert all(record.attributes is not None for record in joined.train)
    names = MARKET_NAMES["bounding_box_train"]
    assert names
    assert not caplog.text


def test_different_attributes_are_dropped_in_a_sentence(components, tmp_path, caplog):
    drawn = {"name": "synthetic", "root": str(tmp_path), "identities": 6, "images_per_identity": 3}
    joined = load_dataset("sources", sources=[drawn, *components])
    assert joined.attribute_schema is None
    assert {record.attributes for record in joined.train} == {None}
    assert "different attributes, or some have none: none are used" in caplog.text


def test_what_is_wrong_is_named(components, tmp_path):
    for sources, message in (
        (components[:1], r"needs two data sets or more\. Received: 1\."),
        (
            [components[0], components[0]],
            r"named 'market1501': give one of them another name with 'as:",
        ),
        ([components[0], {"root": "x"}], r"must be given as \{name: .*Received: \{'root': 'x'\}"),
        ([components[0], {"name": "market1502"}], "Unknown data set: 'market1502'"),
        ([components[0], {**components[1], "as": "market1501"}], "Two sources are named 'market1501'"),
    ):
        with pytest.raises(InputError, match=message):
            load_dataset("sources", sources=sources)
    with pytest.raises(InputError, match="Each of the sources names its own root"):
        load_dataset("sources", str(tmp_path), sources=components)
