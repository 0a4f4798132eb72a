import re

import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.ranked_file import read_ranked_lists, write_ranked_lists


def test_a_line_a_query(tmp_path):
    path = tmp_path / "new" / "ranked.txt"
    write_ranked_lists(path, {"1.jpg": ["b.jpg", "ä c.jpg"], "0.jpg": ("b.jpg",)})
    assert path.read_bytes().decode() == "1.jpg: b.jpg, ä c.jpg\n0.jpg: b.jpg\n"
    lists = read_ranked_lists(path)
    assert lists == {"1.jpg": ("b.jpg", "ä c.jpg"), "0.jpg": ("b.jpg",)}
    assert [*lists] == ["1.jpg", "0.jpg"]
    assert [file.name for file in path.parent.iterdir()] == ["ranked.txt"]


@pytest.mark.real_data
def test_a_published_file_is_written_back_byte_for_byte(tmp_path, real_data):
    published = real_data / "trento" / "reid_test_sample.txt"
    lists = read_ranked_lists(published)
    assert {len(names) for names in lists.values()} == {50}
    write_ranked_lists(tmp_path / "ranked.txt", lists)
    assert (tmp_path / "ranked.txt").read_bytes() == published.read_bytes()


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"a.jpg": []}, r"at least one name. Received: \[\] for 'a.jpg'"),
        ({"a: b.jpg": ["c.jpg"]}, "without ': ', ', ' and line breaks; .* Received: 'a: b.jpg'"),
        ({"a.jpg": ["b, c.jpg"]}, "Received: 'b, c.jpg'"),
        ({"a.jpg": ["b\nc.jpg"]}, re.escape(r"Received: 'b\nc.jpg'")),
        ({"a.jpg": [""]}, "Received: ''"),
        ({"a.jpg": ["\udcff.jpg"]}, "a name in Unicode"),
    ],
)
def test_what_could_not_be_read_back_is_refused(tmp_path, lists, message):
    with pytest.raises(InputError, match=message):
        write_ranked_lists(tmp_path / "ranked.txt", lists)
    assert not list(tmp_path.iterdir())


def test_json_lines_hold_any_name(tmp_path):
    path = tmp_path / "ranked.jsonl"
    lists = {"a: b, c.jpg": ("d, e.jpg", "f\ng.jpg"), "\udcff.jpg": ("ä.jpg",)}
    write_ranked_lists(path, lists)
    assert path.read_text().splitlines()[0] == '{"query": "a: b, c.jpg", "ranked": ["d, e.jpg", "f\\ng.jpg"]}'
    assert read_ranked_lists(path) == lists
    for line, message in (
        ("{", "line 1: must be a JSON object"),
        ("[]", "line 1 must be an object"),
        ('{"query": "a"}', "line 1 lacks the field 'ranked'"),
        ('{"query": "a", "ranked": [1]}', "line 1, 'ranked' must be text. Received: 1"),
    ):
        path.write_text(line)
        with pytest.raises(InputError, match=message):
            read_ranked_lists(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.jpg: b.jpg\nb.jpg, c.jpg\n", "line 2: must be 'query: name, name, ...'. Received: 'b.jpg, c.jpg'"),
        ("a.jpg: \n", "line 1: must be"),
        ("a.jpg: b.jpg, \n", "line 1: must be"),
        ("a.jpg: b.jpg\n\na.jpg: c.jpg\n", "line 3: a second list of the same query. Received: 'a.jpg'"),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    (tmp_path / "ranked.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_ranked_lists(tmp_path / "ranked.txt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="ranked.txt' cannot be read"):
        read_ranked_lists(tmp_path / "ranked.txt")


def test_lists_without_an_end_are_a_sentence(tmp_path):
    (tmp_path / "a.jsonl").write_text("[" * 100_000)
    with pytest.raises(InputError, match="line 1: must be a JSON object"):
        read_ranked_lists(tmp_path / "a.jsonl")
