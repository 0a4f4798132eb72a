import re

import pytest

from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError

PEOPLE = ("anna", "bert", "carl", "dora")


@pytest.fixture
def crops(tmp_path, write_images):
    """Four people with four images under two cameras, and one with a single image."""
    names = [f"{person}/cam{camera}/{shot}.png" for person in PEOPLE for camera in (3, 7) for shot in (1, 2)]
    write_images(tmp_path / "crops", [*names, "emil/cam3/1.jpg"])
    return tmp_path / "crops"


def test_people_are_split_and_every_image_is_somewhere(crops):
    dataset = load_dataset("folder", str(crops), camera="cam([0-9]+)/", test_share=0.5)
    assert dataset.identity_names == dict(enumerate((*PEOPLE, "emil")))
    trained, tested = ({record.identity for record in split} for split in (dataset.train, dataset.query))
    assert (len(trained), len(tested)) == (3, 2)
    assert not trained & tested
    assert 4 in trained, "who has one image cannot be tested"
    everything = (*dataset.train, *dataset.query, *dataset.gallery)
    assert len({record.path for record in everything}) == len(everything) == 17
    for record in everything:
        assert dataset.identity_names[record.identity] in record.path
        assert f"cam{record.camera}" in record.path
    assert {(record.identity, record.camera) for record in dataset.query} == {(i, c) for i in tested for c in (3, 7)}


def test_without_cameras_one_image_of_each_person_is_searched_for(crops):
    dataset = load_dataset("folder", str(crops), test_share=0.5, seed=1)
    assert {record.camera for record in dataset.query + dataset.gallery} == {0}
    assert len(dataset.query) == 2
    assert len(dataset.gallery) == 6


def test_the_log_does_not_count_people_as_passed_over(crops, caplog):
    (crops / "__MACOSX").mkdir()
    assert len(load_dataset("folder", str(crops)).identity_names) == 5
    assert "Passed over" not in caplog.text


def test_another_seed_draws_other_people(crops):
    drawn = {
        frozenset(record.identity for record in load_dataset("folder", str(crops), seed=seed).query)
        for seed in range(8)
    }
    assert len(drawn) > 1
    assert load_dataset("folder", str(crops)) == load_dataset("folder", str(crops))


def test_numbers_stay_numbers_and_cameras_may_be_names(tmp_path, write_images):
    write_images(tmp_path, [f"{person}/{camera}_{shot}.jpg" for person in (17, 4) for camera in "ab" for shot in "xy"])
    dataset = load_dataset("folder", str(tmp_path), camera="^([a-z])_", test_share=0.5)
    assert dataset.identity_names is None
    assert {record.identity for record in dataset.train} | {record.identity for record in dataset.query} == {4, 17}
    assert {record.camera for record in dataset.train} == {0, 1}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, r"needs a folder for each person and no image beside them: '.*' holds nothing"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg", "c.jpg"], {}, r"no image beside them: '.*' holds a/, b/, c\.jpg"),
        (["a/1.jpg", "b/1.jpg"], {}, r"two images or more, .*: the 2 folders in '.*' hold 2 images"),
        (["a/1.txt", "b/1.txt"], {}, r"the 2 folders in '.*' hold 0 images"),
        (["1/1.jpg", "1/2.jpg", "01/1.jpg"], {}, r"must be distinct as numbers.*holds 01, 1\."),
        (["-1/1.jpg", "-1/2.jpg", "3/1.jpg"], {}, r"none -1, which is kept for junk.*holds -1, 3\."),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], {"camera": "c("}, r"not a valid regular expression .*camera='c\('"),
        (["a/1.jpg", "a/2.jpg", "b/1.jpg"], {"camera": "c1"}, r"one group in parentheses.*camera='c1', with 0"),
        (["a/c1.jpg", "a/2.jpg", "b/1.jpg"], {"camera": "c(.)"}, r"not found in 2 of 3 images, the first.*a/2\.jpg"),
        (
            ["a/1.jpg", "a/2.jpg", "b/1.jpg"],
            {"test_share": 0.1},
            r"share must leave identities on both sides.*share=0\.1",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, write_images, names, options, message):
    (tmp_path / "crops").mkdir()
    for name in names:
        if name.endswith(".txt"):
            (tmp_path / "crops" / name).parent.mkdir()
            (tmp_path / "crops" / name).write_text("no image")
        else:
            write_images(tmp_path / "crops", [name])
    with pytest.raises(InputError, match=message):
        load_dataset("folder", str(tmp_path / "crops"), **options)


def test_no_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"The folder '{tmp_path / 'crops'}' for the data set 'folder'")):
        load_dataset("folder", str(tmp_path / "crops"))
