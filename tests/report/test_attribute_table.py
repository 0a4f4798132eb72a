import csv

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.report.attribute_table import attribute_means_table, write_attribute_csv
from reid_tf.retrieval.attribute_metrics import evaluate_attributes

SCHEMA = AttributeSchema((AttributeGroup("hat", ("no", "yes")), AttributeGroup("age", ("young", "adult", "old"))))
METRICS = evaluate_attributes(SCHEMA, [[0, 1], [1, 1], [0, 2], [0, 1]], [[0, 1], [0, 1], [0, 2], [-1, 2]])


def test_every_attribute_has_a_line(tmp_path):
    write_attribute_csv(tmp_path / "new" / "attributes.csv", METRICS)
    assert b"\r" not in (tmp_path / "new" / "attributes.csv").read_bytes()
    with (tmp_path / "new" / "attributes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["name"]) for row in rows] == [
        ("attribute", "hat"), ("attribute", "age=young"), ("attribute", "age=adult"), ("attribute", "age=old"),
        ("group", "hat"), ("group", "age"),
    ]  # fmt: skip
    assert rows[0] == {
        "kind": "attribute", "name": "hat", "images": "3", "accuracy": "0.666667", "balanced_accuracy": "", "f1": "",
        "positive_share": "0.000000", "majority_share": "1.000000",
    }  # fmt: skip
    assert (rows[3]["f1"], rows[5]["balanced_accuracy"]) == ("0.666667", "0.750000")


def test_the_means_as_text():
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in attribute_means_table(METRICS).split("\n")
    ]
    assert lines[0] == [
        "% of 4 images", "accuracy", "balanced accuracy", "F1", "positive share", "majority share", "means over",
        "skipped",
    ]  # fmt: skip
    assert lines[2] == ["binary attributes", "75.00", "75.00", "73.33", "50.00", "50.00", "2", "2"]
    assert lines[3] == ["groups", "75.00", "75.00", "73.33", "-", "50.00", "1", "1"]
