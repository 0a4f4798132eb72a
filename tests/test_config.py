import dataclasses

import pytest

from reid_tf import registry
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


STAGES = """
stages:
  - {name: identification, share: 0.5, loss_weights: {identity_a: 1.0, verification: 0.0}}
  - name: joint
    share: 0.5
    loss_weights: {verification: 0.5}
    optimizer: {name: adam, learning_rate: 1.0e-3}
    schedule: {name: cosine}
    augment: [{name: flip}]
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def staged(tmp_path):
    path = tmp_path / "staged.yaml"
    path.write_text(RECIPE + STAGES)
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
        ("epochs=0", r"\['epochs'\] is wrong: it must be at least 1. Received: 0"),
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


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("3", r"must be a mapping of keys to values. Received: '.*a.yaml', a single value, '3'"),
        ("word", "a single value, 'word'"),
        ("[1, 2]", r"a.yaml', a list"),
        ("", "lacks the key 'dataset'"),
        ("precision: ${oc.env:HOME}", r"must not refer to .* Received: '\${oc.env:HOME}' in line 1"),
        ("epochs: 1\nseed: ${epochs}", r"Received: '\${epochs}' in line 2"),
        ("epochs: ${seed}\nseed: ${epochs}", "must not refer to"),
        ("epochs: ${", "must not refer to"),
        ("dataset: {'${a}': 1}", "must not refer to"),
        ("dataset: &a {name: *a}", "holds itself, in line 1"),
        ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{key}: &{key} [{','.join(10 * [f'*{before}'])}]\n" for before, key in zip("abcdef", "bcdefg", strict=True)
        ), "must hold at most 100,000 values"),
        ("dataset: " + 3000 * "[", "is not a YAML file"),
        ("epochs: 1\nepochs: 2", "is not a YAML file: .*duplicate key"),
        ("epochs: " + 5000 * "1", "is not a YAML file"),
        ("dataset: !!python/object/apply:os.system [x]", "is not a YAML file"),
    ],
)  # fmt: skip
def test_a_file_refers_to_nothing_and_is_what_it_says(tmp_path, text, sentence):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        load_config(path)


def test_an_override_refers_to_nothing(recipe):
    with pytest.raises(InputError, match=r"override 'precision=\${oc.env:HOME}' must not refer"):
        load_config(recipe, ["precision=${oc.env:HOME}"])


def test_anchors_are_read(tmp_path, recipe):
    path = tmp_path / "b.yaml"
    path.write_text(f"base: {recipe}\nimage_size: &size [64, 32]\nload_size: *size\n")
    config = load_config(path)
    assert config.image_size == config.load_size == (64, 32)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"no configuration file .*none\.yaml"):
        load_config(tmp_path / "none.yaml")


def test_a_training_without_stages_is_one_stage(recipe):
    config = load_config(recipe)
    assert config.in_stages() == (config,)


def test_a_stage_is_the_whole_recipe_but_for_what_it_names(staged):
    config = load_config(staged, ["epochs=9"])
    first, second = config.in_stages()
    assert (first.epochs, second.epochs) == (4, 5)
    assert (first.optimizer, first.schedule) == (config.optimizer, config.schedule)
    assert first.augment == config.augment
    assert first.loss_weights == {"identity_a": 1.0, "verification": 0.0}
    assert second.optimizer == {"name": "adam", "learning_rate": 1e-3}
    assert second.schedule == {"name": "cosine"}
    assert second.augment == ({"name": "flip"},)
    assert second.loss_weights == {"verification": 0.5}
    assert second.batches == config.batches
    assert first.stages == second.stages == ()
    assert first.seed != second.seed, "both stages would see the same images in the same order"
    assert first.in_stages() == (first,)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (1 / 3, 1 / 3, 1 / 3), (0.1, 0.2, 0.7), (0.35, 0.65), (1.0,)])
def test_every_epoch_belongs_to_one_stage(recipe, shares):
    stages = [f"{{name: s{number}, share: {share}}}" for number, share in enumerate(shares)]
    config = load_config(recipe, ["epochs=10", f"stages=[{', '.join(stages)}]"])
    for epochs in range(10, 131):
        counts = [stage.epochs for stage in dataclasses.replace(config, epochs=epochs).in_stages()]
        assert sum(counts) == epochs
        for count, share in zip(counts, shares, strict=True):
            assert abs(count - share * epochs) <= 1


def test_stages_are_saved_and_read_back_equal(staged, tmp_path):
    config = load_config(staged, ["initial_weights=some.weights.h5"])
    save_config(config, tmp_path / "again.yaml")
    assert load_config(tmp_path / "again.yaml") == config
    assert parse_config(config.to_dict()) == config
    assert config.stages[1].optimizer == {"name": "adam", "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        (
            ["stages.identification.share=0.7", "stages.joint.share=0.3", "epochs=10"],
            lambda c: [stage.epochs for stage in c.in_stages()] == [7, 3],
        ),
        (
            ["stages.joint.loss_weights.identity_a=2"],
            lambda c: c.in_stages()[1].loss_weights == {"verification": 0.5, "identity_a": 2.0},
        ),
        (
            ["stages.identification.schedule.name=cosine"],
            lambda c: c.in_stages()[0].schedule == {"name": "cosine"},
        ),
        (
            ["stages.joint.optimizer.name=sgd", "stages.joint.optimizer.learning_rate=0.3"],
            lambda c: c.in_stages()[1].optimizer == {"name": "sgd", "learning_rate": 0.3},
        ),
        (["stages.0.batches={name: pairs, batch_size: 8}"], lambda c: c.in_stages()[0].batches["batch_size"] == 8),
        (["stages=[]"], lambda c: c.in_stages() == (c,)),
    ],
)
def test_overrides_of_a_stage_go_by_its_name(staged, overrides, read):
    assert read(load_config(staged, overrides))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("stages.joint.optimizer.learning_rat=1", "'learning_rat'. Did you mean 'learning_rate'"),
        ("stages.joint.schedule.name=cosinus", "Unknown .*schedule: 'cosinus'. Did you mean 'cosine'"),
        ("stages.joint.batches={name: pears}", "'pears'. Did you mean 'pairs'"),
        ("stages.joint.augment=[{name: flipp}]", "'flipp'. Did you mean 'flip'"),
        ("stages.joint.shar=0.5", "Unknown key of a stage of the configuration: 'shar'. Did you mean 'share'"),
        ("stages.joined.share=0.5", "'joined'. Did you mean 'joint'"),
        ("stages.joint.share=half", "'share'.*'half'"),
        ("stages.joint.loss_weights.verification=much", "'verification'.*'much'"),
        ("stages=[{name: joint}]", "stage of the configuration lacks the key 'share'"),
        ("stages=3", "'stages' must be a list. Received: 3"),
        ("stages=joint", "'stages' must be a list. Received: 'joint'"),
        ("stages=[{name: a, share: 0.5}, {name: a, share: 0.5}]", r"must differ .* Received: \['a', 'a'\]"),
        ("stages=[{name: a/b, share: 0.5}, {name: c, share: 0.5}]", r"letters, digits, .* Received: \['a/b', 'c'\]"),
        ("stages=[joint]", "stage of the configuration must be a mapping of keys to values. Received: 'joint'"),
        (
            "stages.joint.share=0.4",
            r"must be above 0 and add up to 1. Received: \{'identification': 0.5, 'joint': 0.4\}",
        ),
        ("stages.joint.share=0", "above 0 and add up to 1. Received: .*'joint': 0.0"),
        ("stages=[{name: a, share: 1.5}, {name: b, share: -0.5}]", "above 0 and add up to 1. Received: .*'b': -0.5"),
        (
            "epochs=1",
            "The stage 'identification' must get at least one epoch. Received: a share of 0.5 of 1 epochs",
        ),
        ("stages=[{name: a, share: 0.9}, {name: b, share: 0.1}]", "'b' must get at least one epoch.* 0.1 of 2 epochs"),
    ],
)
def test_what_is_wrong_in_a_stage_is_one_sentence(staged, override, message):
    with pytest.raises(InputError, match=message):
        load_config(staged, [override])


def variant(folder, text, name="variant.yaml"):
    (folder / name).write_text(text)
    return folder / name


def test_a_file_says_what_differs_from_its_base(recipe, tmp_path):
    (tmp_path / "deeper").mkdir()
    middle = variant(tmp_path, "base: recipe.yaml\nepochs: 3\nmodel: {embedding_dim: null}\n", "middle.yaml")
    top = "base: ../middle.yaml\nbackbone: {width: 8}\nschedule: {name: cosine}\naugment: []\nload_size: [72, 36]\n"
    config = load_config(variant(tmp_path / "deeper", top))
    assert config.epochs == 3
    assert config.model == {"name": "multitask", "embedding_dim": None}  # null is a value like others
    assert config.backbone == {"name": "tiny", "width": 8}
    assert config.schedule == {"name": "cosine"}  # another component keeps none of the old options
    assert config.augment == ()
    assert config.optimizer == load_config(recipe).optimizer
    assert load_config(middle).schedule["boundaries"] == [40, 45]
    save_config(config, tmp_path / "elsewhere" / "config.yaml")  # what a run keeps needs no base
    assert load_config(tmp_path / "elsewhere" / "config.yaml") == config


def test_an_empty_mapping_takes_away_what_the_base_has(recipe, tmp_path):
    base = variant(tmp_path, RECIPE + "loss_weights: {verification: 0.3}\n", "weighted.yaml")
    assert load_config(base).loss_weights == {"verification": 0.3}
    assert load_config(variant(tmp_path, "base: weighted.yaml\nloss_weights: {}\n")).loss_weights == {}
    more = load_config(variant(tmp_path, "base: weighted.yaml\nloss_weights: {identity_a: 1}\n")).loss_weights
    assert more == {"verification": 0.3, "identity_a": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: nothing.yaml", r"There is no configuration '\S+nothing.yaml', which is the base of '\S+variant.yaml'."),
        ("base: variant.yaml", r"must not form a circle. Received: '\S+variant.yaml' -> '\S+variant.yaml'."),
        ("base: circle.yaml", r"'\S+variant.yaml' -> '\S+circle.yaml' -> '\S+variant.yaml'"),
        ("base: [a.yaml, b.yaml]", r"must be the path of a configuration. Received: base=\['a.yaml', 'b.yaml'\]"),
    ],
)
def test_a_base_that_is_none(tmp_path, text, message):
    variant(tmp_path, "base: variant.yaml\n", "circle.yaml")
    with pytest.raises(InputError, match=message):
        load_config(variant(tmp_path, text))


def test_options_of_earlier_versions_are_read(recipe):
    config = load_config(recipe, ["model.name=triplet", "model.triplet.margin=soft"])
    assert registry.MODELS.options(config.model) == {"metric_loss": {"name": "triplet", "margin": "soft"}}
    with pytest.raises(InputError, match="'triplet' of the model 'triplet' is now called 'metric_loss'"):
        load_config(recipe, ["model.name=triplet", "model.triplet.margin=soft", "model.metric_loss.margin=1.0"])
