import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from tests.datasets.made_datasets import places

FILES = ("1_001_1_01.png", "1_001_2_06.png", "1_002_1_01.png", "1_002_2_06.png", "1_002_2_07.png")


def column(values, dtype=np.uint16):
    return np.array(values, dtype).reshape(-1, 1)


def protocol(path, **changed):
    names = np.empty((len(FILES), 1), object)
    names[:, 0] = FILES
    variables = {
        "filelist": names,
        "labels": column([1, 1, 2, 2, 2]),
        "camId": column([1, 2, 1, 2, 2], np.uint8),
        "train_idx": column([1, 2]),
        "query_idx": column([3]),
        "gallery_idx": column([4, 5]),
    }
    scipy.io.savemat(path, {key: value for key, value in (variables | changed).items() if value is not None})


@pytest.fixture
def raw_root(tmp_path):
    for boxes in ("detected", "labeled"):
        (tmp_path / f"images_{boxes}").mkdir()
        protocol(tmp_path / f"cuhk03_new_protocol_config_{boxes}.mat")
    return tmp_path


@pytest.mark.parametrize(("folder", "suffix"), [("", "jpg"), ("detected", "png")])
def test_the_folder_layout(tmp_path, write_images, folder, suffix):
    names = ("bounding_box_train/0001_c1_01", "query/0005_c1_01", "bounding_box_test/0005_c2_07")
    write_images(tmp_path / folder, [f"{name}.{suffix}" for name in names])
    dataset = load_dataset("cuhk03", str(tmp_path))
    assert dataset.name == "cuhk03"
    assert places(dataset.train) == [(f"0001_c1_01.{suffix}", 1, 1)]
    assert places(dataset.query) == [(f"0005_c1_01.{suffix}", 5, 1)]
    assert places(dataset.gallery) == [(f"0005_c2_07.{suffix}", 5, 2)]


def test_boxes_choose_the_folder(tmp_path, write_images):
    for boxes, identity in (("detected", 1), ("labeled", 2)):
        folders = ("bounding_box_train", "query", "bounding_box_test")
        write_images(tmp_path / boxes, [f"{folder}/000{identity}_c1_01.png" for folder in folders])
    assert load_dataset("cuhk03", str(tmp_path)).train[0].identity == 1
    assert load_dataset("cuhk03", str(tmp_path), boxes="labeled").train[0].identity == 2


def test_the_protocol_counts_from_one(raw_root):
    dataset = load_dataset("cuhk03", str(raw_root))
    assert places(dataset.train) == [("1_001_1_01.png", 1, 1), ("1_001_2_06.png", 1, 2)]
    assert places(dataset.query) == [("1_002_1_01.png", 2, 1)]
    assert places(dataset.gallery) == [("1_002_2_06.png", 2, 2), ("1_002_2_07.png", 2, 2)]
    assert dataset.train[0].path == str(raw_root / "images_detected" / "1_001_1_01.png")


def test_boxes_choose_the_protocol(raw_root):
    protocol(raw_root / "cuhk03_new_protocol_config_labeled.mat", train_idx=column([1]))
    dataset = load_dataset("cuhk03", str(raw_root), boxes="labeled")
    assert len(dataset.train) == 1
    assert dataset.train[0].path == str(raw_root / "images_labeled" / "1_001_1_01.png")


def test_the_protocol_may_lie_elsewhere(raw_root):
    (raw_root / "elsewhere").mkdir()
    protocol(raw_root / "elsewhere" / "p.mat", query_idx=column([4, 5]))
    dataset = load_dataset("cuhk03", str(raw_root), protocol_file=str(raw_root / "elsewhere" / "p.mat"))
    assert len(dataset.query) == 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train_idx": column([0, 1])}, r"train_idx must be 1 to 5. Received: 0"),
        ({"gallery_idx": column([6])}, r"gallery_idx must be 1 to 5. Received: 6"),
        ({"labels": column([1, 2])}, r"labels must have 5 values, one per file. Received: 2"),
        ({"camId": column([1.5] * 5, float)}, r"camId must hold whole numbers. Received: \[1.5"),
        ({"query_idx": None}, "lacks the variable 'query_idx'"),
    ],
)
def test_a_wrong_protocol_is_named(raw_root, changed, message):
    protocol(raw_root / "cuhk03_new_protocol_config_detected.mat", **changed)
    with pytest.raises(InputError, match=message):
        load_dataset("cuhk03", str(raw_root))


def test_a_web_page_in_place_of_the_protocol_is_named(raw_root):
    (raw_root / "cuhk03_new_protocol_config_detected.mat").write_text("<!DOCTYPE html><html>GitHub</html>")
    with pytest.raises(InputError, match=r"'.*detected.mat' is not a MATLAB file that can be read but an HTML page"):
        load_dataset("cuhk03", str(raw_root))


def test_missing_things_are_named(raw_root, tmp_path):
    (raw_root / "cuhk03_new_protocol_config_detected.mat").unlink()
    with pytest.raises(InputError, match=r"'.*cuhk03_new_protocol_config_detected.mat' does not exist"):
        load_dataset("cuhk03", str(raw_root))
    (tmp_path / "other" / "images").mkdir(parents=True)
    with pytest.raises(InputError, match=r"in detected/\), or images_detected/; found in '.*other': images/\."):
        load_dataset("cuhk03", str(tmp_path / "other"))
    with pytest.raises(InputError, match=r"'boxes' of the data set 'cuhk03' is wrong.*Received: 'labelled'"):
        load_dataset("cuhk03", str(raw_root), boxes="labelled")


@pytest.mark.real_data
@pytest.mark.parametrize(("boxes", "sizes"), [("detected", (7365, 1400, 5332)), ("labeled", (7368, 1400, 5328))])
def test_the_real_protocol(real_data, tmp_path, boxes, sizes):
    (tmp_path / f"images_{boxes}").mkdir()
    path = real_data / "cuhk03-protocol" / f"cuhk03_new_protocol_config_{boxes}.mat"
    dataset = load_dataset("cuhk03", str(tmp_path), boxes=boxes, protocol_file=str(path))
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == sizes
    assert len({record.identity for record in dataset.train}) == 767
    assert len({record.identity for record in dataset.query}) == 700
    assert not {record.identity for record in dataset.train} & {record.identity for record in dataset.query}
    for record in (*dataset.train, *dataset.query, *dataset.gallery):
        _, _, camera, _ = record.path.rsplit("/", 1)[1].split("_")  # 1_001_2_06.png: the name repeats the camera
        assert record.camera == int(camera)


@pytest.mark.real_data
def test_real_images(real_data):
    dataset = load_dataset("cuhk03", str(real_data / "cuhk03-np-dev"))
    assert (len(dataset.train), len(dataset.query), len(dataset.gallery)) == (6411, 200, 754)
    assert {record.camera for record in dataset.train} == {1, 2}
