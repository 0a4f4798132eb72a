import numpy as np
import pytest

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.errors import InputError
from reid_tf.retrieval.attribute_filter import (
    attribute_matches,
    attribute_probabilities,
    parse_attributes,
    rank_by_attributes,
)

SCHEMA = AttributeSchema((AttributeGroup("hat", ("no", "yes")), AttributeGroup("top", ("red", "dark blue", "white"))))
CODING = AttributeCoding(SCHEMA, "classes")
OUTPUTS = np.array(
    [
        [0.2, 0.8, 0.5, 0.3, 0.2],
        [0.9, 0.1, 0.9, 0.1, 0.0],
        [0.4, 0.6, 0.3, 0.6, 0.1],
        [0.2, 0.8, 0.5, 0.3, 0.2],
    ]
)


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["gender=female upper_colour=red backpack=yes"], ("gender=female", "upper_colour=red", "backpack=yes")),
        (["gender=female", "upper_colour=red"], ("gender=female", "upper_colour=red")),
        ([" gender = female,upper_colour= red ", "hat=no\n"], ("gender=female", "upper_colour=red", "hat=no")),
        (["upper_colour=multi-colour"], ("upper_colour=multi-colour",)),
    ],
)
def test_reads_what_is_wanted(texts, wanted):
    parsed = parse_attributes(texts, MARKET1501_SCHEMA)
    assert parsed == dict(pair.split("=") for pair in wanted)
    assert [*parsed] == [pair.split("=")[0] for pair in wanted]


def test_a_class_may_have_spaces():
    wanted = {"top": "dark blue", "hat": "yes"}
    assert parse_attributes(["top=dark blue hat=yes"], SCHEMA) == wanted
    assert parse_attributes(["top=dark", "blue", "hat=yes"], SCHEMA) == wanted  # not quoted in a shell


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "such as hat=yes. Received: ''"),
        ([""], "such as hat=yes. Received: ''"),
        (["hat"], "as group=class, such as hat=yes. Received: 'hat'"),
        (["hat="], "Received: 'hat='"),
        (["=yes"], "Received: '=yes'"),
        (["hatt=yes"], "Unknown attribute: 'hatt'. Did you mean 'hat'?"),
        (["top=whte"], "Unknown class of the attribute 'top': 'whte'. Did you mean 'white'?"),
        (["top=red backpack"], "class of the attribute 'top': 'red backpack'"),
        (["top=red", "hat=yes top=white"], "The attribute 'top' is asked for twice: 'red' and 'white'"),
    ],
)
def test_what_cannot_be_meant_is_refused(texts, message):
    with pytest.raises(InputError, match=message):
        parse_attributes(texts, SCHEMA)


def test_matches_where_the_likeliest_classes_are_wanted():
    assert attribute_matches(CODING, OUTPUTS, {"hat": "yes"}).tolist() == [True, False, True, True]
    assert attribute_matches(CODING, OUTPUTS, {"top": "red", "hat": "yes"}).tolist() == [True, False, False, True]
    assert attribute_matches(CODING, OUTPUTS, {"top": "white"}).tolist() == [False] * 4
    assert attribute_matches(CODING, OUTPUTS, {}).all()


def test_the_probability_is_the_product_over_groups():
    of_both = attribute_probabilities(CODING, OUTPUTS, {"top": "red", "hat": "yes"})
    np.testing.assert_allclose(of_both, [0.8 * 0.5, 0.1 * 0.9, 0.6 * 0.3, 0.8 * 0.5], rtol=1e-6)
    assert attribute_probabilities(CODING, OUTPUTS, {}).tolist() == [1] * 4


def test_sigmoids_are_read_by_their_coding():
    coding = AttributeCoding(SCHEMA, "binary")
    outputs = [[0.7, 0.6, 0.3, 0.1]]
    np.testing.assert_allclose(attribute_probabilities(coding, outputs, {"hat": "no", "top": "red"}), [0.3 * 0.6])
    assert attribute_matches(coding, outputs, {"hat": "yes", "top": "red"}).tolist() == [True]


def test_equal_probabilities_rank_in_order():
    indices, probabilities = rank_by_attributes(CODING, OUTPUTS, {"top": "red", "hat": "yes"}, 3)
    assert indices.tolist() == [[0, 3, 2]]
    np.testing.assert_allclose(probabilities, [[0.4, 0.4, 0.18]], rtol=1e-6)


@pytest.mark.parametrize("k", [0, 5])
def test_k_must_be_a_place_in_the_list(k):
    with pytest.raises(InputError, match=f"between 1 and the 4 images. Received: {k}"):
        rank_by_attributes(CODING, OUTPUTS, {"hat": "yes"}, k)
