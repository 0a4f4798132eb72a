"""JSON values against dataclasses: what fits, and the sentence for everything else."""

import dataclasses
from typing import Any

import pytest

from reid_tf.errors import InputError
from reid_tf.schema import of_fields, parse_json, read_json


@dataclasses.dataclass(frozen=True)
class Size:
    height: int

    def __post_init__(self) -> None:
        if self.height < 1:
            raise InputError(f"A height is at least 1. Received: {self.height}.")


@dataclasses.dataclass(frozen=True)
class Made:
    name: str
    share: float
    good: bool
    pair: tuple[int, int]
    sizes: dict[str, Size]
    anything: Any = None
    maybe: Size | None = None
    words: tuple[str, ...] = ()


SOUND = {"name": "a", "share": 1, "good": True, "pair": [1, 2], "sizes": {"x": {"height": 3}}}


def test_what_fits():
    assert of_fields(Made, SOUND, "it") == Made("a", 1, True, (1, 2), {"x": Size(3)})
    more = {**SOUND, "anything": [None], "maybe": {"height": 1}, "words": ["b", "c"], "of_later": 1}
    assert of_fields(Made, more, "it") == Made("a", 1, True, (1, 2), {"x": Size(3)}, [None], Size(1), ("b", "c"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 1}, "it, 'name' must be text. Received: 1."),
        ({"share": True}, "it, 'share' must be a number. Received: True."),
        ({"share": "1"}, "it, 'share' must be a number. Received: '1'."),
        ({"good": 1}, "it, 'good' must be true or false. Received: 1."),
        ({"good": None}, "it, 'good' must be true or false. Received: None."),
        ({"pair": [1]}, r"it, 'pair' must be a list of 2. Received: \[1\]."),
        ({"pair": [1, 2.0]}, "it, 'pair' must be a whole number. Received: 2.0."),
        ({"sizes": []}, r"it, 'sizes' must be an object. Received: \[\]."),
        ({"sizes": {"x": {}}}, "it, 'sizes', 'x' lacks the field 'height'. Received: nothing."),
        ({"sizes": {"x": {"height": 0}}}, "it, 'sizes', 'x': A height is at least 1. Received: 0."),
        ({"maybe": 7}, "it, 'maybe' must be an object. Received: 7."),
        ({"words": "ab"}, "it, 'words' must be a list. Received: 'ab'."),
        ({"name": ["long"] * 50}, r"must be text. Received: \['long', .*\.\.\.\."),
    ],
)
def test_what_does_not(change, message):
    with pytest.raises(InputError, match=f"^{message}$" if "\\.\\.\\." not in message else message):
        of_fields(Made, {**SOUND, **change}, "it")


def test_files(tmp_path):
    (tmp_path / "a.json").write_text('{"height": 2}')
    assert read_json(tmp_path / "a.json", Size) == Size(2)
    for content in (b"{", b"\xff", b'{"height": ' + b"9" * 5000 + b"}", b"[" * 100_000):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(InputError, match=r"a\.json' cannot be read as JSON"):
            read_json(tmp_path / "a.json", Size)
    with pytest.raises(InputError, match="b.json' cannot be read as JSON: .*No such file"):
        read_json(tmp_path / "b.json", Size)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1e999]", "the number 1e999 is not finite"),
        ("[NaN]", "the number NaN is not finite"),
        ("[-Infinity]", "the number -Infinity is not finite"),
        (f"[{2**63}]", f"the number {2**63} has more than 64 bits"),
        (f"[-{10**30}]", f"the number -{10**30} has more than 64 bits"),
    ],
)
def test_numbers_of_json_are_finite_and_of_64_bits(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)
    (tmp_path / "a.json").write_text(f'{{"name": {text}}}')
    with pytest.raises(InputError, match=f"a.json' cannot be read as JSON: {message}"):
        read_json(tmp_path / "a.json", Made)
    assert parse_json(f"[1.5, {2**63 - 1}, 1e300]") == [1.5, 2**63 - 1, 1e300]
