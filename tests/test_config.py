import dataclasses

import pytest

from reid_tf.config import ExperimentConfig, load_config, parse_config, save_config
from reid_tf.errors import InputError

RECIPE = """
dataset: {name: market1501, root: somewhere}
image_size: [64, 32]
augment: [{name: flip}, {name: random_erasing, probability: 0.5}]
batches: {name: pairs, batch_size: 4}
backbone: {name: tiny}
model: {name: multitask, embedding_dim: 8}
optimizer: {name: sgd, learning_rate: 5.0e-2}
schedule: {name: step, boundaries: [40, 45], factor: 0.1}
epochs: 2
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_values_get_their_types(recipe):
    config = load_config(recipe)
    assert isinstance(config, ExperimentConfig)
    assert config.image_size == (64, 32)
    assert config.optimizer["learning_rate"] == 0.05
    assert config.evaluation.protocol == "market1501"


def test_what_is_saved_reads_back_equal(recipe, tmp_path):
    config = load_config(recipe, ["evaluation.validation={name: held_out, share: 0.2}", "load_size=[72,36]"])
    save_config(config, tmp_path / "again.yaml")
    assert load_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("optimizer.learning_rate=1e-3", lambda c: c.optimizer["learning_rate"] == 1e-3),
        ("augment.random_erasing.probability=0", lambda c: c.augment[1]["probability"] == 0),
        ("augment.0.probability=0.1", lambda c: c.augment[0] == {"name": "flip", "probability": 0.1}),
        (
            "evaluation.protocol=cuhk03_single_shot",
            lambda c: c.evaluation.protocol == "cuhk03_single_shot",
        ),
        ("evaluation.every=2", lambda c: c.evaluation.every == 2),
        ("loss_weights.verification=2", lambda c: c.loss_weights == {"verification": 2.0}),
        ("evaluation.validation.name=test", lambda c: c.evaluation.validation == {"name": "test"}),
        ("augment=[]", lambda c: c.augment == ()),
        ("dataset.root=a=b", lambda c: c.dataset["root"] == "a=b"),
    ],
)
def test_overrides(recipe, override, read):
    assert read(load_config(recipe, [override]))


def test_a_component_with_another_name_loses_the_options_of_the_old_one(recipe):
    config = load_config(recipe, ["schedule.name=cosine", "schedule.warmup_epochs=1"])
    assert config.schedule == {"name": "cosine", "warmup_epochs": 1}
    assert load_config(recipe, ["schedule.name=step"]).schedule["boundaries"] == [40, 45]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epoch=3", "Unknown key of the configuration: 'epoch'. Did you mean 'epochs'"),
        ("evaluation.evry=3", "'evry'. Did you mean 'every'"),
        ("epochs=0", "'epochs' must be at least 1. Received: 0"),
        ("epochs=many", "'epochs'.*'many'"),
        ("precision=float16", "'precision'.*Received"),
        ("backbone.name=resnet5", "Unknown backbone: 'resnet5'. Did you mean 'resnet50'"),
        ("model.embeding_dim=3", "'embeding_dim'. Did you mean 'embedding_dim'"),
        ("augment.random_erase.probability=1", "'random_erase'. Did you mean 'random_erasing'"),
        ("augment.flip.probability=often", "'probability'.*'often'"),
        ("epochs", "key.path=value. Received: 'epochs'"),
        ("epochs.more=1", "looks inside 'epochs'"),
        ("image_size=[1,2,3]", "'image_size'"),
        ("dataset.name=market", "Unknown data set: 'market'. Did you mean 'market1501'"),
    ],
)
def test_wrong_overrides_are_one_sentence(recipe, override, message):
    with pytest.raises(InputError, match=message):
        load_config(recipe, [override])


def test_a_missing_key_is_named(recipe):
    tree = dataclasses.asdict(load_config(recipe))
    del tree["backbone"]
    with pytest.raises(InputError, match="lacks the key 'backbone'"):
        parse_config(tree)


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2", "\x00"])
def test_no_yaml_mapping(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.yaml"):
        load_config(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"no configuration file .*none\.yaml"):
        load_config(tmp_path / "none.yaml")
