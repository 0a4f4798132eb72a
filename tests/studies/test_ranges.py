import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.studies.ranges import Range, load_tuning, parse_tuning


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("rangs: {epochs: {values: [1]}}", "Unknown key of a tuning file: 'rangs'. Did you mean 'ranges'"),
        ("ranges: {}", r"the range of at least one option. Received: ranges=\{\}"),
        ("ranges: {epochs: [1, 2]}", r"The range of 'epochs' must be a mapping .* Received: \[1, 2\]"),
        ("ranges: {epochs: {low: 1, max: 2}}", "Unknown key of the range of 'epochs': 'low'"),
        ("ranges: {seed: {min: 1}}", "'seed' needs min and max, or values. Received: min=1, sampling=linear"),
        ("ranges: {seed: {min: 2, max: 2}}", "'seed' must be below its max. Received: min=2, max=2"),
        ("ranges: {a.b: {min: 0.0, max: .inf}}", "must be below its max. Received: min=0.0, max=inf"),
        ("ranges: {a: {min: 0, max: 1.0, sampling: log}}", "'a' needs a min above 0 for log sampling. Received: min=0"),
        ("ranges: {a: {min: 1, max: 2, sampling: cube}}", "'sampling'.*'linear' or 'log'. Received: 'cube'"),
        ("ranges: {a: {min: 1, max: 2, step: 0}}", "step of the range of 'a' must be above 0. Received: step=0"),
        ("ranges: {a: {min: 1, max: 2, step: 1, sampling: log}}", "must be above 1. Received: step=1"),
        ("ranges: {a: {values: []}}", r"'a' needs distinct values. Received: values=\[\]"),
        ("ranges: {a: {values: [1, 2, 1]}}", r"'a' needs distinct values. Received: values=\[1, 2, 1\]"),
        ("ranges: {a: {values: [1], max: 3}}", "'a' must have either values or min and max. Received: max=3, sampling"),
        ("ranges: {a: {values: [1], also: [b]}, b: {values: [2]}}", "must have only one range. Received: 'b' 2 times"),
        ("ranges: {evaluation.flip: {values: [true]}}", "cannot be compared. Received: a range of 'evaluation.flip'"),
        ("ranges: {a: {values: [1], also: [dataset.root]}}", "Received: a range of 'dataset.root'"),
        ("set: 3", "'set'.* Received: 3"),
        ("- 1", "A tuning must be a mapping of keys to values. Received: .*a list"),
    ],
)
def test_what_is_wrong_in_a_tuning_file_is_one_sentence(tmp_path, change, message):
    lines = {"config": "config: a.yaml", "ranges": "ranges: {seed: {min: 1, max: 2}}"}
    kept = [] if change.startswith("-") else [line for key, line in lines.items() if f"{key}:" not in change]
    (tmp_path / "a.yaml").write_text("\n".join([*kept, change]))
    with pytest.raises(InputError, match=message):
        load_tuning(tmp_path / "a.yaml")


def test_no_tuning_file(tmp_path):
    with pytest.raises(InputError, match=r"no tuning file .*none\.yaml"):
        load_tuning(tmp_path / "none.yaml")


def test_the_configuration_is_found_beside_the_file(tmp_path):
    (tmp_path / "a.yaml").write_text("config: ../b.yaml\nranges: {seed: {min: 1, max: 2, also: [epochs]}}")
    tuning = load_tuning(tmp_path / "a.yaml")
    assert tuning.config == str(tmp_path / ".." / "b.yaml")
    assert tuning.ranges == {"seed": Range(1, 2, also=("epochs",))}


def test_steps_reach_the_largest_value_in_spite_of_rounding():
    np.testing.assert_array_equal(Range(0.0, 1.0, step=0.1).choices(), np.round(np.linspace(0, 1, 11), 1))
    np.testing.assert_array_equal(Range(1e-5, 1e-2, "log", step=10.0).choices(), [1e-5, 1e-4, 1e-3, 1e-2])
    whole = Range(2, 9, step=3).choices()
    assert whole == (2, 5, 8)
    assert all(isinstance(value, int) for value in whole)
    assert Range(0.0, 1.0).choices() is None


def test_a_drawn_number_keeps_its_kind_and_stays_inside():
    assert Range(0.1, 2.0).rounded(0.123456789) == 0.123457
    assert Range(0.1, 2.0).rounded(2.0000001) == 2.0
    # KerasTuner's whole numbers on a logarithmic scale reach one too far.
    assert Range(1, 8, "log").rounded(9) == 8
    assert isinstance(Range(1, 8).rounded(4), int)
    assert isinstance(Range(1, 8.0).rounded(4), float)


def test_plain_mappings_are_read_too():
    ranges = parse_tuning({"config": "a", "ranges": {"a": {"values": ["soft", 0.3, None, [1, 2]]}}}).ranges
    assert ranges["a"].choices() == ("soft", 0.3, None, [1, 2])
