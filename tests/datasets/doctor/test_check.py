import dataclasses
import re

import numpy as np
import pytest

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.datasets.doctor.check import check
from reid_tf.datasets.doctor.findings import counted, named
from reid_tf.datasets.doctor.published_counts import PUBLISHED, check_counts
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.datasets.record import Record, ReIDDataset
from tests.datasets.made_datasets import dataset_of, encoded_image, records_of
from tests.datasets.made_files import bomb, lying, picture

GOOD = {"train": [(1, 1), (1, 2), (2, 1), (2, 2)], "query": [(5, 1)], "gallery": [(5, 2), (0, 1)]}


def found(dataset, read_images=False):
    return [(finding.severity, finding.sentence) for finding in check(dataset, read_images)]


def only(dataset, read_images=False):
    findings = found(dataset, read_images)
    assert len(findings) == 1, findings
    return findings[0]


def made(**changed):
    return dataset_of(**(GOOD | changed))


def test_a_good_data_set_has_no_findings():
    assert found(made()) == []


@pytest.mark.parametrize(("split", "severity"), [("train", "warning"), ("query", "error"), ("gallery", "error")])
def test_empty_splits_are_found(split, severity):
    assert only(made(**{split: []}))[0] == severity
    assert f"The split '{split}' is empty" in only(made(**{split: []}))[1]


def test_identities_in_train_and_test_are_errors():
    severity, sentence = only(made(train=[*GOOD["train"], (5, 1), (5, 1)]))
    assert severity == "error"
    assert sentence.startswith("1 identity of the training split is in the test splits too")
    assert sentence.endswith(": 5.")
    both = made(train=[*GOOD["train"], (5, 1), (5, 1), (0, 1), (0, 2)])
    assert "2 identities of the training split are in the test splits too" in only(both)[1]
    named_as_text = dataclasses.replace(both, identity_names={5: "anna"})
    assert only(named_as_text)[1].endswith(": 0, anna.")


def test_an_image_listed_for_two_people_is_an_error():
    dataset = made()
    torn = dataclasses.replace(dataset.train[0], identity=2)
    findings = found(dataclasses.replace(dataset, train=(*dataset.train, torn)))
    assert ("error", "1 image file listed for two people: train/000.jpg.") in findings


def test_junk_is_an_error():
    assert only(made(gallery=[(5, 2), (-1, 1)])) == (
        "error",
        "Junk (identity -1) is left in the splits, in 1 images: gallery/001.jpg.",
    )


def test_identities_with_one_image_are_noted():
    assert only(made(train=[*GOOD["train"], (9, 1)])) == (
        "note",
        "1 training identity with one image can serve as negatives only: 9.",
    )


def test_queries_without_a_match_from_another_camera_are_counted_and_named():
    severity, sentence = only(made(query=[(5, 1), (5, 2), (6, 1)]))
    assert severity == "warning"
    assert sentence.startswith("2 of 3 queries lack a match from another camera in the gallery")
    assert sentence.endswith(": query/001.jpg, query/002.jpg.")
    assert only(made(query=[(5, 2), (6, 1)])) == (
        "error",
        "None of 2 queries has a match from another camera in the gallery: every metric would be 0.",
    )


def test_one_camera_suggests_the_other_protocol():
    findings = found(made(query=[(5, 3), (6, 3)], gallery=[(5, 3), (7, 3)]))
    assert [severity for severity, _ in findings] == ["warning", "warning"]
    assert "one camera (3)" in findings[0][1]
    assert "'single_camera'" in findings[0][1]
    assert findings[1][1].startswith("1 of 2 queries lack a match in the gallery")


def test_one_file_in_two_splits_is_an_error():
    dataset = made()
    shared = dataclasses.replace(dataset.train[0], identity=0)
    assert only(dataclasses.replace(dataset, gallery=(*dataset.gallery, shared))) == (
        "error",
        "1 image file in more than one split: train/000.jpg.",
    )
    twice = dataclasses.replace(dataset, gallery=(*dataset.gallery, dataset.gallery[0]))
    assert only(twice) == ("warning", "1 image file listed twice in a split: gallery/000.jpg.")
    # Multi-query boxes may repeat the query.
    assert found(dataclasses.replace(dataset, multi_query=dataset.query)) == []


def test_published_counts_are_compared():
    severity, sentence = only(dataclasses.replace(made(), name="dukemtmc_reid"))
    assert severity == "warning"
    assert "train has 4 images, published 16,522" in sentence
    assert "gallery has 2 images, published 17,661" in sentence
    assert "train has 2 identities, published 702" in sentence


SINGLE_SPLIT = sorted(set(PUBLISHED) - {"cuhk03_classic"})


@pytest.mark.parametrize("name", SINGLE_SPLIT)
def test_a_whole_copy_has_the_published_counts(name):
    for counts in PUBLISHED[name]:
        train, query = (
            records_of((index % counts.identities[split], 1) for index in range(counts.images[split]))
            for split in ("train", "query")
        )
        gallery = (Record("x", 0, 1),) * counts.images["gallery"]
        assert check_counts(ReIDDataset(name, train, query, gallery)) == []
        (finding,) = check_counts(ReIDDataset(name, train[1:], query, gallery))
        assert finding.sentence.count("published") == 3  # the heading, the one difference, the closing clause


@pytest.mark.parametrize(("variant", "images"), [("detected", 14_097), ("labeled", 14_096)])
def test_every_split_of_cuhk03_has_its_published_counts(variant, images):
    train = records_of((index % 1367, 1) for index in range(13_150))
    gallery = records_of((2000 + index % 100, 2) for index in range(500))
    # One person of a split may lack images under the first camera.
    query = records_of((2000 + index % 99, 1) for index in range(images - 13_650))
    assert check_counts(ReIDDataset("cuhk03_classic", train, query, gallery)) == []
    (finding,) = check_counts(ReIDDataset("cuhk03_classic", train, query, gallery[:99]))
    assert f"train+query+gallery has {images - 401:,} images, published (detected) 14,097" in finding.sentence


def test_attribute_coverage_is_noted():
    schema = AttributeSchema((AttributeGroup("hat", ("no", "yes")), AttributeGroup("bag", ("no", "yes"))))
    answers = [(0, 1), (-1, 1), None, (1, 0)]
    dataset = made()
    train = tuple(dataclasses.replace(r, attributes=a) for r, a in zip(dataset.train, answers, strict=True))
    described = dataclasses.replace(dataset, train=train, attribute_schema=schema)
    assert only(described) == ("note", "3 of 4 training images have attributes, in 2 groups; unknown: hat of 1.")
    nobody = dataclasses.replace(dataset, attribute_schema=schema)
    assert only(nobody) == ("warning", "0 of 4 training images have attributes, in 2 groups.")
    for wrong in ((2, 0), (0,), (-2, 0)):
        broken = (*train[1:], dataclasses.replace(train[0], attributes=wrong))
        assert only(dataclasses.replace(described, train=broken)) == (
            "error",
            "Attributes that the schema does not have, in 'train': train/000.jpg.",
        )


def test_landmark_coverage_is_noted():
    dataset = made()
    query = (dataclasses.replace(dataset.query[0], landmarks=np.zeros((18, 3), np.float32)),)
    assert only(dataclasses.replace(dataset, query=query)) == ("note", "1 of 7 images have landmarks.")


def test_errors_come_first():
    severities = [
        severity for severity, _ in found(made(train=[(1, 1)], query=[(5, 2), (5, 1)], gallery=[(5, 2), (-1, 1)]))
    ]
    assert severities == ["error", "warning", "note"]


def test_long_lists_are_shortened():
    assert named(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    assert named(["a"]) == "a"
    assert (counted(1, "query", "queries"), counted(2228, "query", "queries")) == ("1 query", "2,228 queries")


@pytest.fixture
def csv_root(tmp_path):
    """A data set of nine good images."""
    rows = [(f"{index}.jpg", 1, 1, "train") for index in range(5)]
    rows += [("5.jpg", 5, 1, "query"), ("6.jpg", 5, 2, "gallery")]
    rows += [("7.png", 6, 1, "gallery"), ("8.bmp", 6, 2, "gallery")]
    for seed, (name, *_) in enumerate(rows):
        (tmp_path / name).write_bytes(encoded_image(seed, name[1:]))
    lines = [",".join(map(str, row)) for row in rows]
    (tmp_path / "records.csv").write_text("\n".join(["path,identity,camera,split", *lines]) + "\n")
    return tmp_path


def test_good_images_have_no_findings(csv_root):
    assert found(load_dataset("csv_table", str(csv_root)), read_images=True) == []


def test_bad_images_are_named(csv_root):
    jpeg, png = encoded_image(0), encoded_image(7, ".png")
    (csv_root / "0.jpg").unlink()
    (csv_root / "1.jpg").write_bytes(jpeg[: len(jpeg) * 2 // 3])
    (csv_root / "2.jpg").write_text("<html>not found</html>")
    (csv_root / "3.jpg").write_bytes(b"")
    (csv_root / "7.png").write_bytes(png[: len(png) // 2])
    (csv_root / "4.jpg").unlink()
    (csv_root / "4.jpg").mkdir()
    findings = found(load_dataset("csv_table", str(csv_root)), read_images=True)
    assert {severity for severity, _ in findings} == {"error"}
    problems = {re.sub(r" \S*/", " ", sentence) for _, sentence in findings}
    assert problems == {
        "1 image missing: 0.jpg.",
        "2 images cut off or damaged: 1.jpg, 7.png.",
        "1 image not an image file (JPEG, PNG, BMP, GIF, WebP, TIFF): 2.jpg.",
        "1 image empty (0 bytes): 3.jpg.",
        "1 image unreadable: 4.jpg.",
    }
    assert found(load_dataset("csv_table", str(csv_root))) == []  # the lists alone are in order


def test_more_than_ten_missing_images_are_counted(tmp_path):
    records = tuple(Record(str(tmp_path / f"{index:02d}.jpg"), 1, 1) for index in range(13))
    sentences = [sentence for _, sentence in found(ReIDDataset("made", records, (), ()), read_images=True)]
    (missing,) = [sentence for sentence in sentences if "missing" in sentence]
    assert missing.startswith("13 images missing: ")
    assert missing.endswith("09.jpg and 3 more.")


def test_lying_and_huge_images_are_counted(csv_root):
    for index, kind in enumerate(("jpeg", "png", "webp", "tiff")):
        (csv_root / f"{index}.jpg").write_bytes(lying(picture(index), kind, 6))
    (csv_root / "4.jpg").write_bytes(lying(picture(4), "jpeg", 1))
    sentences = [sentence for _, sentence in found(load_dataset("csv_table", str(csv_root)), read_images=True)]
    assert len(sentences) == 1
    assert sentences[0].startswith("4 images not stored upright (EXIF's orientation is not 1) and turned when read")
    (csv_root / "5.jpg").write_bytes(bomb("gif"))
    findings = found(load_dataset("csv_table", str(csv_root)), read_images=True)
    assert ("error", "1 image has 529,000,000 pixels, more than the 25,000,000 allowed") in [
        (severity, sentence.partition(" (")[0]) for severity, sentence in findings
    ]


def test_copies_of_one_image_in_two_splits_are_found(csv_root):
    (csv_root / "6.jpg").write_bytes((csv_root / "0.jpg").read_bytes())
    (csv_root / "1.jpg").write_bytes((csv_root / "0.jpg").read_bytes())  # within a split it is the set's own affair
    severity, sentence = only(load_dataset("csv_table", str(csv_root)), read_images=True)
    assert severity == "warning"
    assert sentence == f"1 image with the same bytes in another split: {csv_root}/6.jpg = {csv_root}/0.jpg."


def test_a_prepared_data_set_is_read_too(csv_root, tmp_path):
    (csv_root / "1.jpg").write_text("no image")
    prepare(load_dataset("csv_table", str(csv_root)), tmp_path / "prepared")
    dataset = load_dataset("prepared", str(tmp_path / "prepared"))
    severity, sentence = only(dataset, read_images=True)
    assert severity == "error"
    assert re.fullmatch(r"1 image not an image file .*: .*prepared::train::1\.", sentence)
    next((tmp_path / "prepared").glob("*query*")).write_bytes(b"")
    dataset = load_dataset("prepared", str((tmp_path / "prepared").rename(tmp_path / "moved")))
    assert any("unreadable: " in sentence and "query::0" in sentence for _, sentence in found(dataset, True))


@pytest.mark.real_data
def test_the_real_development_split(real_data):
    findings = found(load_dataset("cuhk03", str(real_data / "cuhk03-np-dev")), read_images=True)
    assert [severity for severity, _ in findings] == ["warning", "warning"]
    assert findings[0][1].startswith("2 of 200 queries lack a match from another camera")
    assert "train has 667 identities, published (detected) 767" in findings[1][1]
