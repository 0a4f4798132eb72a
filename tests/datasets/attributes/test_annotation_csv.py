import csv

import pytest

from reid_tf.datasets.attributes.annotation_csv import COLUMNS, read_annotations, write_annotations
from reid_tf.errors import InputError

SAMPLE = "trento/annotations_sample.csv"
# gender, hair, sleeves, lower length, lower type, hat, backpack, bag, handbag, age, upper colour, lower colour
SOMEBODY = (1, 0, 1, 0, 1, 0, 1, 0, 0, 2, 6, 9)
ANOTHER = (0, 1, 0, 1, 0, 1, 0, 1, 1, 3, 8, 0)


def line(name="0002", least=1, **changed):
    """SOMEBODY's row as the format has it, written out by hand, or with some values changed."""
    values = {"age": 2, "backpack": 1, "bag": 0, "handbag": 0, "clothes": 1, "down": 0, "up": 1, "hair": 0, "hat": 0}
    values |= {"gender": 1, "upblue": 1, "downmulticolor": 1}
    cells = {column: str(values.get(column, 0) + least) for column in COLUMNS} | changed
    return ",".join([name, *(cells[column] for column in COLUMNS[1:])]) + "\n"


def save(tmp_path, *lines, header=COLUMNS):
    (tmp_path / "a.csv").write_text(",".join(header) + "\n" + "".join(lines))
    return tmp_path / "a.csv"


def test_values_are_understood(tmp_path):
    assert read_annotations(save(tmp_path, line())) == {"0002": SOMEBODY}


def test_a_file_that_counts_from_zero(tmp_path):
    assert read_annotations(save(tmp_path, line("a.jpg", least=0), line("b.jpg", least=0, age="3"))) == {
        "a.jpg": SOMEBODY,
        "b.jpg": (*SOMEBODY[:9], 3, *SOMEBODY[10:]),
    }


def test_none_or_several_colours_are_multi_colour(tmp_path):
    lines = [
        line("none", upblue="1", downmulticolor="1"),
        line("two", upred="2", downpink="2", downbrown="2", downmulticolor="1"),
        line("said and one", upmulticolor="2", downgreen="2"),
        line("one", upblue="1", upblack="2", downmulticolor="1", downbrown="2"),
    ]
    answers = [row[10:] for row in read_annotations(save(tmp_path, *lines)).values()]
    assert answers == [(8, 9), (8, 9), (8, 9), (0, 8)]


def test_columns_may_stand_in_any_order(tmp_path):
    path = save(tmp_path, line())
    rows = [list(reversed(row)) for row in csv.reader(path.open())]
    path.write_text("".join(",".join(row) + "\n" for row in rows))
    assert read_annotations(path) == {"0002": SOMEBODY}


def test_what_is_written_is_read_in_its_order(tmp_path):
    attributes = {"z.jpg": ANOTHER, "a.jpg": SOMEBODY, "7": ANOTHER}
    write_annotations(tmp_path / "new" / "a.csv", attributes)
    assert list(read_annotations(tmp_path / "new" / "a.csv").items()) == list(attributes.items())
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.csv"]
    write_annotations(tmp_path / "b.csv", {"0002": SOMEBODY})
    assert (tmp_path / "b.csv").read_bytes() == save(tmp_path, line()).read_bytes()
    write_annotations(tmp_path / "b.csv", {})
    assert (tmp_path / "b.csv").read_text() == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line("1"), line("2", age="5")], r"line 3, column 'age': must be 1 to 4. Received: '5'"),
        ([line("1", hat="3")], r"line 2, column 'hat': must be 1 to 2. Received: '3'"),
        ([line("1", upred="")], r"line 2, column 'upred': must be 1 to 2. Received: ''"),
        ([line("1", bag="yes")], r"line 2, column 'bag': must be 1 to 2. Received: 'yes'"),
        (
            [line("1"), line("2", hat="0")],
            r"line 2, column 'gender': must be 0 to 1 as the file counts from 0 \(line 3, column 'hat'\). .*'2'",
        ),
        ([line("1", least=0, age="4")], r"'age': must be 0 to 3 as the file counts from 0 \(line 2, .*Received: '4'"),
        ([line("1"), line("2"), line("1")], r"line 4, column 'id': must not be in line 2 too. Received: '1'"),
        ([line("")], r"line 2, column 'id': must not be empty. Received: ''"),
        ([line("1").replace("\n", ",1\n")], r"line 2: must have 30 cells, id to downbrown. Received: 31"),
        ([], "must hold a header and at least one row"),
    ],
)
def test_wrong_cells_are_named(tmp_path, lines, message):
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(save(tmp_path, *lines))
    assert "a.csv" in str(caught.value)


def test_wrong_columns_are_named(tmp_path):
    with pytest.raises(InputError, match=r"lacks the column 'downbrown'; its columns are: id, age"):
        read_annotations(save(tmp_path, line().rsplit(",", 1)[0] + "\n", header=COLUMNS[:-1]))
    with pytest.raises(InputError, match=r"line 1: Unknown column of an annotation file: 'upbrown'. Did you mean"):
        read_annotations(save(tmp_path, line().replace("\n", ",1\n"), header=(*COLUMNS, "upbrown")))
    with pytest.raises(InputError, match=r"has a column name twice: id, age"):
        read_annotations(save(tmp_path, line().replace("\n", ",1\n"), header=(*COLUMNS, "age")))


def test_unknown_classes_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"'a.jpg': age must be 0 to 3. Received: -1 \(unknown, which the format"):
        write_annotations(tmp_path / "a.csv", {"a.jpg": (*SOMEBODY[:9], -1, 0, 0)})
    with pytest.raises(InputError, match=r"'a.jpg' needs 12 class indices. Received: \(1, 0\)"):
        write_annotations(tmp_path / "a.csv", {"a.jpg": (1, 0)})
    assert not list(tmp_path.iterdir())


@pytest.mark.real_data
def test_the_sample_is_written_back_byte_for_byte(real_data, tmp_path):
    attributes = read_annotations(real_data / SAMPLE)
    write_annotations(tmp_path / "a.csv", attributes)
    assert (tmp_path / "a.csv").read_bytes() == (real_data / SAMPLE).read_bytes()
    rows = list(csv.DictReader((real_data / SAMPLE).open()))
    assert len(attributes) == len(rows) == 199
    for row in rows:
        answers = attributes[row["id"]]
        assert answers[:3] == (int(row["gender"]) - 1, int(row["hair"]) - 1, int(row["up"]) - 1)
        assert answers[9] == int(row["age"]) - 1
        assert (answers[10] == 8, answers[10] == 2) == (row["upmulticolor"] == "2", row["upred"] == "2")
