import numpy as np
import pytest

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup
from reid_tf.datasets.landmarks import write_landmarks
from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from tests.datasets.made_datasets import places

TABLE = """\
path,identity,camera,split
a/1.jpg,7,2,train
a/2.jpg,7,1,train
b/1.jpg,0012,1,query
b/2.jpg,12,3,gallery
"""


def save(folder, text, name="records.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding)
    return str(folder)


def test_rows_become_records(tmp_path):
    dataset = load_dataset("csv_table", save(tmp_path, TABLE))
    assert dataset.name == "csv_table"
    assert places(dataset.train) == [("1.jpg", 7, 2), ("2.jpg", 7, 1)]
    assert places(dataset.query) == [("1.jpg", 12, 1)]
    assert places(dataset.gallery) == [("2.jpg", 12, 3)]
    assert dataset.train[0].path == str(tmp_path / "a" / "1.jpg")
    assert dataset.attribute_schema is None
    assert dataset.identity_names is None
    assert all(record.attributes is None for record in dataset.train)


def test_the_file_itself_or_its_folder_is_the_root(tmp_path):
    save(tmp_path, TABLE, "people.csv")
    for root in (tmp_path, tmp_path / "people.csv"):
        assert len(load_dataset("csv_table", str(root)).train) == 2
    save(tmp_path, TABLE, "others.csv")
    with pytest.raises(
        InputError, match=r"must hold records.csv or exactly one CSV file. Found: others.csv, people.csv"
    ):
        load_dataset("csv_table", str(tmp_path))
    save(tmp_path, TABLE.replace("a/2.jpg,7,1,train\n", ""))
    assert len(load_dataset("csv_table", str(tmp_path)).train) == 1


def test_text_is_numbered_in_sorted_order(tmp_path):
    text = "path,identity,camera,split\n1.jpg,zoë,north,train\n2.jpg,anna,door,train\n3.jpg,9,north,query\n"
    dataset = load_dataset("csv_table", save(tmp_path, text))
    assert dataset.identity_names == {0: "9", 1: "anna", 2: "zoë"}
    assert places(dataset.train) == [("1.jpg", 2, 1), ("2.jpg", 1, 0)]
    assert places(dataset.query) == [("3.jpg", 0, 1)]


def test_columns_may_have_other_names(tmp_path):
    text = "file;who;where;part\nx.jpg;-5;1;train\n"
    root = save(tmp_path, text)
    names = {"path_column": "file", "identity_column": "who", "camera_column": "where", "split_column": "part"}
    dataset = load_dataset("csv_table", root, delimiter=";", **names)
    assert places(dataset.train) == [("x.jpg", -5, 1)]


def test_numbers_beyond_64_bits_are_names(tmp_path):
    huge = ("12345678901234567890", "12345678901234567891", "9" * 5000, "3")
    rows = "".join(f"{index}.jpg,{name},1,train\n" for index, name in enumerate(huge))
    dataset = load_dataset("csv_table", save(tmp_path, f"path,identity,camera,split\n{rows}"))
    assert [dataset.identity_names[record.identity] for record in dataset.train] == list(huge)
    text = "path,identity,camera,split\n1.jpg,9223372036854775807,1,train\n2.jpg,000000000000000000000005,1,train\n"
    dataset = load_dataset("csv_table", save(tmp_path, text))
    assert [record.identity for record in dataset.train] == [2**63 - 1, 5]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_found(tmp_path, delimiter):
    assert len(load_dataset("csv_table", save(tmp_path, TABLE.replace(",", delimiter))).train) == 2


def test_a_line_of_spaces_is_empty(tmp_path):
    dataset = load_dataset("csv_table", save(tmp_path, TABLE.replace("\n", "\n    \n")))
    assert len(dataset.train) == 2
    with pytest.raises(InputError, match=r"line 6, column 'split'"):
        load_dataset("csv_table", save(tmp_path, "path,identity,camera,split\n   \na,1,1,train\n\t\n \nb,1,1,all\n"))


def test_paths_of_windows_are_read(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "a\\2.jpg").touch()
    dataset = load_dataset("csv_table", save(tmp_path, TABLE.replace("/", "\\")))
    assert [record.path for record in dataset.train] == [str(tmp_path / "a/1.jpg"), str(tmp_path / "a\\2.jpg")]


def test_an_image_of_two_people_is_named_with_both_lines(tmp_path):
    root = save(tmp_path, TABLE.replace("b/2.jpg", "./a/1.jpg"))
    message = (
        r"line 5, column 'identity': must be '7', as in line 2, since the image '.*1.jpg' is listed for two people"
    )
    with pytest.raises(InputError, match=message):
        load_dataset("csv_table", root)


def test_a_table_without_cameras(tmp_path):
    dataset = load_dataset("csv_table", save(tmp_path, "path,identity,split\nx.jpg,1,train\n"), camera_column=None)
    assert dataset.train[0].camera == 0


def test_what_a_spreadsheet_writes_is_read(tmp_path):
    text = 'path,identity,camera,split\r\n"a, b.jpg", 1 ,1,train\r\n\r\n'
    dataset = load_dataset("csv_table", save(tmp_path, text, encoding="utf-8-sig"))
    assert places(dataset.train) == [("a, b.jpg", 1, 1)]


def test_absolute_paths_are_kept(tmp_path):
    dataset = load_dataset("csv_table", save(tmp_path, "path,identity,camera,split\n/data/x.jpg,1,1,train\n"))
    assert dataset.train[0].path == "/data/x.jpg"


def test_attribute_columns_make_the_schema(tmp_path):
    text = "path,identity,camera,split,attribute_hat,attribute_age,note\n"
    text += "1.jpg,1,1,train,yes,10,x\n2.jpg,1,1,train,,9,y\n3.jpg,1,1,query,no,100,z\n"
    root = save(tmp_path, text)
    dataset = load_dataset("csv_table", root)
    assert dataset.attribute_schema.groups == (
        AttributeGroup("hat", ("no", "yes")),
        AttributeGroup("age", ("9", "10", "100")),
    )
    assert [record.attributes for record in (*dataset.train, *dataset.query)] == [(1, 1), (-1, 0), (0, 2)]
    named = load_dataset("csv_table", root, attributes=["note"])
    assert named.attribute_schema.groups == (AttributeGroup("note", ("x", "y", "z")),)


def test_landmarks_come_with_the_images(tmp_path):
    write_landmarks(tmp_path / "landmarks.npz", {"b/1.jpg": np.zeros((18, 3))})
    dataset = load_dataset("csv_table", save(tmp_path, TABLE))
    assert dataset.query[0].landmarks.shape == (18, 3)
    assert dataset.train[0].landmarks is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("camera,split", "cam,split", r"lacks the column 'camera'; its columns are: path, identity, cam, split"),
        ("7,1,train", ",1,train", r"line 3, column 'identity': must not be empty. Received: ''"),
        ("7,1,train", "-1,1,train", r"line 3, column 'identity': must not be -1, .*junk. Received: '-1'"),
        ("a/2.jpg,", ",", r"line 3, column 'path': must not be empty"),
        ("3,gallery", ",gallery", r"line 5, column 'camera': must not be empty"),
        ("1,query", "1,Query", r"line 4, column 'split': must be one of train, query, gallery. Received: 'Query'"),
        ("7,1,train", "7,1,train,2", r"line 3: must have 4 cells, path to split. Received: 5"),
        ("7,1,train", "7,train", r"line 3: must have 4 cells, path to split. Received: 3"),
        ("path,identity", "split,identity", r"has a column name twice: split, identity, camera, split"),
        ("a/1.jpg", '"a/1.jpg', "cannot be read as a CSV file in UTF-8: unexpected end of data"),
    ],
)
def test_wrong_rows_are_named(tmp_path, old, new, message):
    root = save(tmp_path, TABLE.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_dataset("csv_table", root)
    assert "records.csv" in str(caught.value)


def test_line_numbers_are_those_of_an_editor(tmp_path):
    text = 'path,identity,camera,split\n"a\nb.jpg",1,1,train\n\nc.jpg,1,1,test\n'
    with pytest.raises(InputError, match=r"line 5, column 'split'"):
        load_dataset("csv_table", save(tmp_path, text))


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"needs a CSV file or its folder: --data ROOT. Received: None"):
        load_dataset("csv_table")
    with pytest.raises(InputError, match=r"'.*none' for the data set 'csv_table' does not exist"):
        load_dataset("csv_table", str(tmp_path / "none"))
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)))
    with pytest.raises(InputError, match=r"'.*a.jpg' cannot be read as a CSV file in UTF-8"):
        load_dataset("csv_table", str(tmp_path / "a.jpg"))
    with pytest.raises(InputError, match=r"must hold a header and at least one row. Received: 1 lines"):
        load_dataset("csv_table", save(tmp_path, TABLE.splitlines()[0]))
    with pytest.raises(InputError, match=r"delimiter of a CSV file must be one character. Received: ', '"):
        load_dataset("csv_table", save(tmp_path, TABLE), delimiter=", ")
    with pytest.raises(InputError, match=r"lacks the column 'path'; its columns are: <!DOCTYPE html>"):
        load_dataset("csv_table", save(tmp_path, "<!DOCTYPE html>\n<html>, </html>\n"))


def test_wrong_attribute_columns_are_named(tmp_path):
    root = save(tmp_path, "path,identity,camera,split,attribute_hat\n1.jpg,1,1,train,\n")
    with pytest.raises(InputError, match=r"column 'attribute_hat': all 1 rows are empty"):
        load_dataset("csv_table", root)
    with pytest.raises(InputError, match=r"lacks the column 'bag'"):
        load_dataset("csv_table", root, attributes=("bag",))


PUBLISHED = "path,identity,camera,split,attribute_hat,attribute_age,attribute_upper_colour\n"


def test_attribute_columns_answer_a_published_schema(tmp_path):
    text = PUBLISHED + "1.jpg,1,1,train,yes,adult,multi-colour\n2.jpg,1,1,train,,3,0\n"
    dataset = load_dataset("csv_table", save(tmp_path, text), schema="market1501")
    assert dataset.attribute_schema is MARKET1501_SCHEMA
    assert [record.attributes for record in dataset.train] == [
        (-1, -1, -1, -1, -1, 1, -1, -1, -1, 2, 8, -1),
        (-1, -1, -1, -1, -1, -1, -1, -1, -1, 3, 0, -1),
    ]
    dataset = load_dataset("csv_table", str(tmp_path), schema="market1501", attributes=["attribute_age"])
    assert dataset.train[0].attributes == (*[-1] * 9, 2, -1, -1)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("yes,4,red", r"line 2, column 'attribute_age': must be one of young, .*, or 0 to 3, or empty. Received: '4'"),
        ("true,0,red", r"line 2, column 'attribute_hat': must be one of no, yes, .*. Received: 'true'"),
        ("yes,0,brown", r"line 2, column 'attribute_upper_colour': .*. Received: 'brown'"),
    ],
)
def test_answers_that_the_schema_lacks_are_named(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        load_dataset("csv_table", save(tmp_path, f"{PUBLISHED}1.jpg,1,1,train,{row}\n"), schema="market1501")


def test_columns_that_the_schema_lacks_are_named(tmp_path):
    root = save(tmp_path, f"{PUBLISHED}1.jpg,1,1,train,yes,0,red\n")
    with pytest.raises(InputError, match=r"'attribute_age': Unknown group of dukemtmc_reid: 'age'.*Allowed: backpack"):
        load_dataset("csv_table", root, schema="dukemtmc_reid")
    with pytest.raises(InputError, match=r"Option 'schema' of the data set 'csv_table'.*Received: 'market'"):
        load_dataset("csv_table", root, schema="market")
    with pytest.raises(InputError, match=r"has no attribute column for schema='market1501'; its columns are: path"):
        load_dataset("csv_table", save(tmp_path, TABLE), schema="market1501")
