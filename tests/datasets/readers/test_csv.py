import numpy as np
import pytest

from reid_tf.datasets.readers.csv import read_csv
from reid_tf.errors import InputError


@pytest.fixture
def path(tmp_path):
    (tmp_path / "a.csv").write_text("name,size\nx,1.5\n\n y ,2\n")
    return tmp_path / "a.csv"


def test_columns(path):
    table = read_csv(path, ("size",))
    assert table.header == ["name", "size"]
    assert table.column("name") == ["x", "y"]
    np.testing.assert_array_equal(table.numbers("size"), [1.5, 2.0])


def test_a_file_without_a_header(path):
    table = read_csv(path, (), header=("a", "b"))
    assert table.column("a") == ["name", "x", "y"]
    with pytest.raises(InputError, match=r"'.*a.csv', line 1, column 'b': must be a number. Received: 'size'"):
        table.numbers("b")
    with pytest.raises(InputError, match=r"line 1: must have 3 cells, a to c. Received: 2"):
        read_csv(path, (), header=("a", "b", "c"))


def test_wrong_cells_are_named(path):
    table = read_csv(path, ())
    with pytest.raises(InputError, match=r"line 2, column 'size': must be a whole number. Received: '1.5'"):
        table.numbers("size", whole=True)
    path.write_text("name,size\nx,1\n,inf\n")
    table = read_csv(path, ())
    with pytest.raises(InputError, match=r"line 3, column 'size': must be a number. Received: 'inf'"):
        table.numbers("size")
    with pytest.raises(InputError, match=r"line 3, column 'name': must not be empty. Received: ''"):
        table.filled("name")


def test_the_delimiter_is_the_one_that_gives_the_columns(path):
    path.write_text("name;size, in cm\nx;1\n")
    assert read_csv(path, ("name",)).header == ["name", "size, in cm"]
    assert read_csv(path, ("size, in cm",), ";").column("name") == ["x"]
    with pytest.raises(InputError, match=r"lacks the column 'weight'; its columns are: name, size, in cm"):
        read_csv(path, ("name", "weight"))
    path.write_text("1;2,5\n3;4,5\n")
    assert read_csv(path, (), ";", header=("a", "b")).column("b") == ["2,5", "4,5"]
    path.write_text("1\t2\n3\t4\n")
    assert read_csv(path, (), header=("a", "b")).column("b") == ["2", "4"]


def test_whole_numbers_are_exact(path):
    for number, right in ((2**53 - 1, True), (2**53, False), (10**30, False)):
        path.write_text(f"name,size\nx,{number}\n")
        if right:
            assert read_csv(path, ()).numbers("size", whole=True).tolist() == [number]
        else:
            with pytest.raises(InputError, match=f"column 'size': must be a whole number. Received: '{number}'"):
                read_csv(path, ()).numbers("size", whole=True)


def test_wrong_files_are_named(path):
    with pytest.raises(InputError, match=r"lacks the column 'weight'; its columns are: name, size"):
        read_csv(path, ("name", "weight"))
    path.write_text("")
    with pytest.raises(InputError, match=r"must hold at least one row. Received: 0 lines"):
        read_csv(path, (), header=("a",))
    with pytest.raises(InputError, match=r"cannot be read as a CSV file in UTF-8: .*none"):
        read_csv(path.with_name("none"), ())
