import csv

import pytest

from reid_tf.errors import InputError
from reid_tf.gallery.marks import Marks


def test_answers_are_lines_and_a_second_start_goes_on(tmp_path):
    marks = Marks(tmp_path / "marks.csv")
    assert len(marks) == 0
    marks.add("a", "b", True)
    marks.add("a", "c", False)
    again = Marks(tmp_path / "marks.csv")
    again.add("a", "b", False)
    assert len(again) == 3
    with (tmp_path / "marks.csv").open() as file:
        rows = [(row["query"], row["result"], row["same"]) for row in csv.DictReader(file)]
    assert rows == [("a", "b", "true"), ("a", "c", "false"), ("a", "b", "false")]


def test_another_file_is_refused(tmp_path):
    (tmp_path / "marks.csv").write_text("path,camera\n")
    with pytest.raises(InputError, match=r"columns query, result, same, when. Received: path, camera"):
        Marks(tmp_path / "marks.csv")
