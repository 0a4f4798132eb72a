import numpy as np
import pytest
import scipy.io

from reid_tf.datasets.attributes.files import (
    read_duke_attributes,
    read_market_attributes,
    write_duke_attributes,
    write_market_attributes,
)
from reid_tf.datasets.attributes.schema import DUKEMTMC_SCHEMA, MARKET1501_SCHEMA
from reid_tf.errors import InputError

REAL_FILE = "market1501-attribute/market_attribute.mat"
# gender, hair, sleeves, lower length, lower type, hat, backpack, bag, handbag, age, upper colour, lower colour
SOMEBODY = (1, 0, 1, 0, 1, 0, 1, 0, 0, 2, 6, 9)
ANOTHER = (0, 1, 0, 1, 0, 1, 0, 1, 1, 3, 8, 0)
UPPER = ("black", "white", "red", "purple", "yellow", "gray", "blue", "green")
LOWER = ("black", "white", "pink", "purple", "yellow", "gray", "blue", "green", "brown")


def fields(**changed):
    """One identity's fields as the published file writes them: SOMEBODY, or with some values changed."""
    values = {"age": 3, "backpack": 2, "bag": 1, "handbag": 1, "clothes": 2, "down": 1, "up": 2, "hair": 1, "hat": 1}
    values |= {"gender": 2} | {f"up{colour}": 1 for colour in UPPER} | {f"down{colour}": 1 for colour in LOWER}
    values |= {"upblue": 2} | changed
    return {name: np.array([[value]], np.uint8) for name, value in values.items()}


DUKE_UPPER = ("black", "white", "red", "purple", "gray", "blue", "green", "brown")
DUKE_LOWER = ("black", "white", "red", "gray", "blue", "green", "brown")


def duke_fields(**changed):
    """One identity's 23 fields as the published file of DukeMTMC-reID writes them."""
    values = {"backpack": 1, "bag": 2, "boots": 1, "gender": 2, "handbag": 1, "hat": 2, "shoes": 2, "top": 1}
    values |= {f"up{colour}": 1 for colour in DUKE_UPPER} | {f"down{colour}": 1 for colour in DUKE_LOWER}
    values |= {"upbrown": 2, "downgray": 2} | changed
    return {name: np.array([[value]], np.uint8) for name, value in values.items()}


def save(path, train, test, train_names=("0002",), test_names=("0001",), variable="market_attribute"):
    structs = {}
    for split, columns, names in (("test", test, test_names), ("train", train, train_names)):
        cells = np.empty((1, len(names)), object)
        cells[0, :] = names
        structs[split] = {**columns, "image_index": cells}
    scipy.io.savemat(path, {variable: structs})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "new" / "market_attribute.mat"
    write_market_attributes(path, {7: SOMEBODY, 2: ANOTHER}, {1: ANOTHER})
    assert read_market_attributes(path) == {2: ANOTHER, 7: SOMEBODY, 1: ANOTHER}
    assert [file.name for file in path.parent.iterdir()] == ["market_attribute.mat"]


def test_an_empty_half_is_written(tmp_path):
    write_market_attributes(tmp_path / "a.mat", {}, {1: SOMEBODY})
    assert read_market_attributes(tmp_path / "a.mat") == {1: SOMEBODY}


def test_the_published_values_are_understood(tmp_path):
    save(tmp_path / "a.mat", fields(), fields(upblue=1))
    attributes = read_market_attributes(tmp_path / "a.mat")
    assert attributes[2] == SOMEBODY
    assert attributes[1] == (*SOMEBODY[:10], 8, 9)  # no upper colour at all: multi-colour


def test_two_colours_are_multi_colour(tmp_path):
    save(tmp_path / "a.mat", fields(upred=2), fields(downpink=2))
    attributes = read_market_attributes(tmp_path / "a.mat")
    assert (attributes[2][10], attributes[1][11]) == (8, 2)


def test_fields_are_taken_by_name_not_by_position(tmp_path):
    reversed_fields = dict(reversed(fields(hat=2, bag=2).items()))
    save(tmp_path / "a.mat", fields(hat=2, bag=2), reversed_fields)
    attributes = read_market_attributes(tmp_path / "a.mat")
    assert attributes[1] == attributes[2] == (1, 0, 1, 0, 1, 1, 1, 1, 0, 2, 6, 9)


def test_the_written_file_has_the_published_form(tmp_path):
    write_market_attributes(tmp_path / "a.mat", {2: SOMEBODY, 11: ANOTHER}, {1: SOMEBODY})
    file = scipy.io.loadmat(tmp_path / "a.mat")["market_attribute"]
    assert file.shape == (1, 1)
    train = file["train"][0, 0]
    assert set(train.dtype.names) == {*fields(), "image_index"}
    assert [cell[0] for cell in train["image_index"][0, 0][0]] == ["0002", "0011"]
    for name, values in fields().items():
        assert train[name][0, 0].dtype == np.uint8
        assert train[name][0, 0].shape == (1, 2)
        assert train[name][0, 0][0, 0] == values[0, 0], name


@pytest.mark.parametrize(
    ("train", "names", "message"),
    [
        (fields(hat=0), ("0002",), r"struct 'train'.*'hat' must hold 1 to 2. Received: .*0"),
        (fields(age=5), ("0002",), r"'age' must hold 1 to 4. Received: .*5"),
        ({k: v for k, v in fields().items() if k != "upred"}, ("0002",), "lacks the field 'upred'"),
        (fields(), ("0002", "0003"), r"the field 'gender' has 1 values for 2 identities"),
        (fields(), ("two",), r"image_index must hold numbers. Received: 'two'"),
        (fields(), ("0001",), "attributes of identity 1 twice"),
    ],
)
def test_wrong_contents_are_named(tmp_path, train, names, message):
    save(tmp_path / "a.mat", train, fields(), train_names=names)
    with pytest.raises(InputError, match=message):
        read_market_attributes(tmp_path / "a.mat")


def test_another_mat_file_is_named(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"pp": np.zeros(3)})
    with pytest.raises(InputError, match=r"lacks the variable 'market_attribute': found pp"):
        read_market_attributes(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "a.mat", {"market_attribute": {"test": fields()}})
    with pytest.raises(InputError, match=r"lacks the struct 'market_attribute.train'; it has: \('test',\)"):
        read_market_attributes(tmp_path / "a.mat")


def test_unknown_classes_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"Identity 4: age must be 0 to 3. Received: -1"):
        write_market_attributes(tmp_path / "a.mat", {4: (*SOMEBODY[:9], -1, 0, 0)}, {})
    with pytest.raises(InputError, match=r"Identity 4 needs 12 class indices. Received: \(1, 0\)"):
        write_market_attributes(tmp_path / "a.mat", {}, {4: (1, 0)})
    assert not list(tmp_path.iterdir())


def test_the_file_of_duke_is_understood(tmp_path):
    assert len(duke_fields()) == 23
    several = duke_fields(upred=2, downgray=1, top=2, gender=1)
    save(tmp_path / "a.mat", dict(reversed(several.items())), duke_fields(), variable="duke_attribute")
    attributes = read_duke_attributes(tmp_path / "a.mat")
    # gender, upper length, shoes, boots, hat, backpack, bag, handbag, upper colour (brown), lower colour (gray)
    assert attributes[1] == (1, 0, 1, 0, 1, 0, 1, 0, 7, 3)
    assert attributes[2] == (0, 1, 1, 0, 1, 0, 1, 0, 8, 7)  # both multi-colour: two set, none set
    classes = [group.classes[answer] for group, answer in zip(DUKEMTMC_SCHEMA.groups, attributes[1], strict=True)]
    assert classes == ["female", "short", "light", "no", "yes", "no", "yes", "no", "brown", "gray"]


def test_the_file_of_duke_is_written_in_the_published_form(tmp_path):
    write_duke_attributes(tmp_path / "a.mat", {2: (1, 0, 1, 0, 1, 0, 1, 0, 7, 3)}, {1: (0,) * 10})
    train = scipy.io.loadmat(tmp_path / "a.mat")["duke_attribute"][0, 0]["train"][0, 0]
    assert set(train.dtype.names) == {*duke_fields(), "image_index"}
    for name, values in duke_fields().items():
        assert train[name][0, 0] == values, name
    assert read_duke_attributes(tmp_path / "a.mat")[1] == (0,) * 10
    with pytest.raises(InputError, match=r"Identity 3: lower_colour must be 0 to 7. Received: 8"):
        write_duke_attributes(tmp_path / "b.mat", {3: (0,) * 9 + (8,)}, {})


def test_the_file_of_another_data_set_is_named(tmp_path):
    save(tmp_path / "market.mat", fields(), fields())
    save(tmp_path / "duke.mat", duke_fields(), duke_fields(), variable="duke_attribute")
    with pytest.raises(
        InputError,
        match=r"'.*market.mat' has the schema of another data set: it holds the struct 'market_attribute', not "
        "'duke_attribute'",
    ):
        read_duke_attributes(tmp_path / "market.mat")
    with pytest.raises(InputError, match=r"holds the struct 'duke_attribute', not 'market_attribute'"):
        read_market_attributes(tmp_path / "duke.mat")


@pytest.mark.real_data
def test_the_real_file(real_data, tmp_path):
    attributes = read_market_attributes(real_data / REAL_FILE)
    assert len(attributes) == 1501
    # Counted field by field with another reading of the file: every value that is not 1, by identity.
    file = scipy.io.loadmat(real_data / REAL_FILE, simplify_cells=True)["market_attribute"]
    groups = [group.name for group in MARKET1501_SCHEMA.groups]
    for half in (file["train"], file["test"]):
        for position, name in enumerate(half["image_index"]):
            found = attributes[int(name)]
            assert found[groups.index("sleeves")] == half["up"][position] - 1
            assert found[groups.index("age")] == half["age"][position] - 1
            colours = [colour for colour in LOWER if half[f"down{colour}"][position] == 2]
            expected = LOWER.index(colours[0]) if len(colours) == 1 else len(LOWER)
            assert found[groups.index("lower_colour")] == expected
    identities = sorted(attributes)
    halves = [{identity: attributes[identity] for identity in identities[start::2]} for start in (0, 1)]
    write_market_attributes(tmp_path / "a.mat", *halves)
    assert read_market_attributes(tmp_path / "a.mat") == attributes
