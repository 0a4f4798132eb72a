import pytest

from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA, AttributeGroup, AttributeSchema
from reid_tf.errors import InputError
from reid_tf.retrieval.attribute_words import attributes_in_words


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("woman, red top, backpack", {"gender": "female", "upper_colour": "red", "backpack": "yes"}),
        ("a man with long hair and no hat", {"gender": "male", "hair": "long", "hat": "no"}),
        ("Lady in black trousers", {"gender": "female", "lower_colour": "black"}),
        ("gender=male; upper_colour=white", {"gender": "male", "upper_colour": "white"}),
        ("without a backpack", {"backpack": "no"}),
        ("trousers, red shirt", {"lower_type": "trousers", "upper_colour": "red"}),
        ("dress, female", {"lower_type": "dress", "gender": "female"}),
        ("red upper colour, red top", {"upper_colour": "red"}),
    ],
)
def test_descriptions_of_market1501(text, wanted):
    assert attributes_in_words(text, MARKET1501_SCHEMA) == wanted


@pytest.mark.parametrize("group", MARKET1501_SCHEMA.groups, ids=lambda group: group.name)
def test_every_answer_can_be_named_with_its_group(group):
    for answer in group.classes:
        assert attributes_in_words(f"{group.name}={answer}", MARKET1501_SCHEMA) == {group.name: answer}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names attributes of: gender, .* Received: ''"),
        ("umbrella", "Received: 'umbrella', which names nothing that the encoder was taught"),
        ("red", "which names lower_colour=red, upper_colour=red"),
        ("long", "names hair=long, lower_length=long, sleeves=long"),
        ("man, woman", "'gender' is described twice: as 'male' and 'female'"),
        ("no", "names nothing"),
    ],
)
def test_what_is_not_understood(text, message):
    schema = AttributeSchema(
        (
            *(
                group
                for group in MARKET1501_SCHEMA.groups
                if group.name in ("gender", "hair", "sleeves", "lower_length")
            ),
            AttributeGroup("upper_colour", ("red", "blue", "black")),
            AttributeGroup("lower_colour", ("red", "white", "black")),
        )
    )
    with pytest.raises(InputError, match=message):
        attributes_in_words(text, schema)
