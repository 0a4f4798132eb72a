import numpy as np
import pytest

from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.files import write_market_attributes
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.market1501 import read_market_layout
from reid_tf.errors import InputError
from tests.datasets.made_datasets import MARKET_NAMES, places

ANSWERS = {1: (0,) * 12, 2: (1,) * 12, 3: (0, 1) * 6, 7: (1, 0) * 6}


def test_names_become_records(market_root):
    dataset = load_dataset("market1501", str(market_root))
    assert dataset.name == "market1501"
    assert places(dataset.train) == [
        ("0002_c1s1_000451_03.jpg", 2, 1),
        ("0002_c2s1_000551_01.jpg", 2, 2),
        ("0007_c3s3_077419_03.jpg", 7, 3),
    ]
    assert places(dataset.query) == [("0001_c1s1_001051_00.jpg", 1, 1), ("0003_c4s6_015641_00.jpg", 3, 4)]
    assert dataset.train[0].path == str(market_root / "bounding_box_train" / "0002_c1s1_000451_03.jpg")
    assert dataset.attribute_schema is None
    assert all(record.attributes is None and record.landmarks is None for record in dataset.train)


def test_junk_is_dropped_and_distractors_stay(market_root):
    gallery = load_dataset("market1501", str(market_root)).gallery
    assert [record.identity for record in gallery] == [0, 1, 3]


def test_multi_query_has_the_identities_and_cameras_of_the_queries(market_root):
    multi_query = load_dataset("market1501", str(market_root)).multi_query
    assert places(multi_query) == [("0001_c1s1_001051_00.jpg", 1, 1), ("0001_c1s1_001076_00.jpg", 1, 1)]


def test_without_multi_query_boxes(market_root):
    for file in (market_root / "gt_bbox").iterdir():
        file.unlink()
    (market_root / "gt_bbox").rmdir()
    assert load_dataset("market1501", str(market_root)).multi_query == ()


def test_the_folder_above_is_a_root_too(market_root, tmp_path):
    market_root.rename(tmp_path / "Market-1501-v15.09.15")
    dataset = load_dataset("market1501", str(tmp_path))
    assert len(dataset.train) == 3
    assert dataset.train[0].path.startswith(str(tmp_path / "Market-1501-v15.09.15"))


def test_further_distractors_join_the_gallery(market_root, tmp_path, write_images):
    write_images(tmp_path / "more", ["0000_c5s1_000151_01.jpg", "000123.jpg", "-1_c1s1_000401_03.jpg"])
    dataset = load_dataset("market1501", str(market_root), distractors=str(tmp_path / "more"))
    assert places(dataset.gallery)[3:] == [("0000_c5s1_000151_01.jpg", 0, 5), ("000123.jpg", 0, 0)]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"folder of distractors '.*empty' holds no images"):
        load_dataset("market1501", str(market_root), distractors=str(tmp_path / "empty"))
    with pytest.raises(InputError, match=r"'.*none' for the data set 'market1501 distractors' does not exist"):
        load_dataset("market1501", str(market_root), distractors=str(tmp_path / "none"))


def test_attributes_come_with_the_identities(market_root):
    write_market_attributes(
        market_root / "market_attribute.mat", {2: ANSWERS[2], 7: ANSWERS[7]}, {1: ANSWERS[1], 3: ANSWERS[3]}
    )
    dataset = load_dataset("market1501", str(market_root))
    assert dataset.attribute_schema is MARKET1501_SCHEMA
    assert [record.attributes for record in dataset.train] == [ANSWERS[2], ANSWERS[2], ANSWERS[7]]
    assert [record.attributes for record in dataset.gallery] == [None, ANSWERS[1], ANSWERS[3]]
    assert dataset.multi_query[0].attributes == ANSWERS[1]


def test_an_attribute_file_of_other_identities_is_named(market_root, tmp_path):
    write_market_attributes(tmp_path / "other.mat", {2: ANSWERS[2]}, {1: ANSWERS[1]})
    with pytest.raises(InputError, match=r"'.*other.mat' has no attributes for 2 identities of the images: 3, 7"):
        load_dataset("market1501", str(market_root), attributes=str(tmp_path / "other.mat"))


def test_an_attribute_file_that_is_a_web_page_is_named(market_root):
    (market_root / "market_attribute.mat").write_text("<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(
        InputError, match=r"'.*market_attribute.mat' is not a MATLAB file that can be read but an HTML page"
    ):
        load_dataset("market1501", str(market_root))


def test_annotations_of_the_training_identities(market_root):
    write_annotations(market_root / "annotations_train.csv", {"0002": ANSWERS[2], "7": ANSWERS[7]})
    dataset = load_dataset("market1501", str(market_root))
    assert dataset.attribute_schema is MARKET1501_SCHEMA
    assert [record.attributes for record in dataset.train] == [ANSWERS[2], ANSWERS[2], ANSWERS[7]]
    assert all(record.attributes is None for record in (*dataset.query, *dataset.gallery))
    # The published file goes before it.
    write_market_attributes(
        market_root / "market_attribute.mat", dict.fromkeys((2, 7), ANSWERS[1]), dict.fromkeys((1, 3), ANSWERS[3])
    )
    assert load_dataset("market1501", str(market_root)).train[0].attributes == ANSWERS[1]


def test_annotations_of_images(market_root, tmp_path):
    path = tmp_path / "test.CSV"
    write_annotations(path, {MARKET_NAMES["query"][1]: ANSWERS[3], "0000_c1s1_000151_01.jpg": ANSWERS[1]})
    dataset = load_dataset("market1501", str(market_root), attributes=str(path))
    assert [record.attributes for record in dataset.query] == [None, ANSWERS[3]]
    assert [record.attributes for record in dataset.gallery] == [ANSWERS[1], None, None]
    with pytest.raises(InputError, match=r"'.*none.csv' cannot be read as a CSV file.*No such file"):
        load_dataset("market1501", str(market_root), attributes=str(tmp_path / "none.csv"))


def test_landmarks_come_with_the_images(market_root):
    values = np.full((18, 3), 0.25, np.float32)
    write_landmarks(market_root / "landmarks.npz", {f"query/{MARKET_NAMES['query'][0]}": values})
    dataset = load_dataset("market1501", str(market_root))
    np.testing.assert_array_equal(dataset.query[0].landmarks, values)
    assert dataset.query[1].landmarks is None


def test_the_layout_can_be_read_under_another_name(market_root):
    dataset = read_market_layout(str(market_root), "made")
    assert dataset.name == "made"
    assert len(dataset.gallery) == 3
    with pytest.raises(InputError, match="data set 'made' needs the folder"):
        read_market_layout(None, "made")


def test_a_folder_of_another_data_set_is_named(tmp_path, write_images):
    write_images(tmp_path, ["bounding_box_train/0001_c1_01.jpg", "query/a.jpg", "bounding_box_test/a.jpg"])
    with pytest.raises(InputError, match=r"must be named like '0002_c1s1_000451_03.jpg'. Received: 0001_c1_01.jpg"):
        load_dataset("market1501", str(tmp_path))
    (tmp_path / "query" / "query").mkdir()
    with pytest.raises(InputError, match=r"missing: bounding_box_train, bounding_box_test; found in .*: a.jpg"):
        load_dataset("market1501", str(tmp_path / "query"))


@pytest.mark.real_data
def test_real_names(real_data, tmp_path):
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (tmp_path / folder).mkdir()
    for image in (real_data / "market1501-sample").iterdir():
        (tmp_path / "query" / image.name).symlink_to(image)
    attributes = str(real_data / "market1501-attribute" / "market_attribute.mat")
    dataset = load_dataset("market1501", str(tmp_path), attributes=attributes)
    assert len(dataset.query) == 20
    assert places(dataset.query)[0] == ("0001_c1s1_001051_00.jpg", 1, 1)
    assert all(record.attributes is not None for record in dataset.query)


def test_other_names_of_the_folders(market_root):
    (market_root / "query").rename(market_root / "hidden")
    with pytest.raises(InputError, match=r"missing: query"):
        load_dataset("market1501", str(market_root))
    dataset = load_dataset("market1501", str(market_root), folders={"query": "hidden"})
    assert len(dataset.query) == 2
    with pytest.raises(InputError, match=r"Unknown split in folders: 'querry'\. Did you mean 'query'\?"):
        load_dataset("market1501", str(market_root), folders={"querry": "hidden"})
