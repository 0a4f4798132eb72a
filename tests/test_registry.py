import pytest

from reid_tf.errors import InputError
from reid_tf.registry import Registry


@pytest.fixture
def table() -> Registry:
    table = Registry("noise", "reid_tf.errors")

    @table.register("gaussian")
    def gaussian(image_size: tuple[int, int], *, deviation: float, channels: tuple[int, ...] = (0, 1, 2)):
        return image_size, deviation, channels

    return table


def test_build_passes_the_options_and_what_the_caller_knows(table):
    component = {"name": "gaussian", "deviation": 2, "channels": [1]}
    assert table.build(component, image_size=(4, 2), unrelated="ignored") == ((4, 2), 2.0, (1,))


def test_the_caller_cannot_be_overridden_by_a_configuration(table):
    with pytest.raises(InputError, match="Unknown option of the noise 'gaussian': 'image_size'"):
        table.build({"name": "gaussian", "deviation": 2, "image_size": (1, 1)})


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ({"name": "gausian", "deviation": 1}, "Unknown noise: 'gausian'. Did you mean 'gaussian'"),
        ({"name": "gaussian", "devation": 1}, "'devation'. Did you mean 'deviation'"),
        ({"name": "gaussian"}, "needs the option 'deviation'"),
        ({"name": "gaussian", "deviation": "much"}, "Option 'deviation' of the noise 'gaussian' is wrong.*'much'"),
        ({"deviation": 1}, "must be given as .*Received"),
        ("gaussian", "must be given as .*'gaussian'"),
    ],
)
def test_what_is_wrong_is_named(table, component, message):
    with pytest.raises(InputError, match=message):
        table.options(component)


def test_a_name_cannot_be_taken_twice(table):
    with pytest.raises(ValueError, match="'gaussian' is already registered"):
        table.register("gaussian")(lambda: None)


def test_a_network_deeper_than_the_stack_is_a_sentence(table):
    def deep(*, layers: int = 1) -> int:
        return deep(layers=layers - 1) + 1 if layers else 0

    table.register("deep")(deep)
    assert table.build({"name": "deep", "layers": 3}) == 3
    with pytest.raises(InputError, match=r"'deep' has more layers in a row than Keras can build\. Received: .*100000"):
        table.build({"name": "deep", "layers": 100000})
