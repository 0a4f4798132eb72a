import argparse
import json

import keras
import pytest

from reid_tf.commands.benchmarks import recipes
from reid_tf.commands.command_line import find_config
from reid_tf.config import load_config
from reid_tf.errors import InputError
from reid_tf.registry import BACKBONES
from tests import audit


@pytest.mark.parametrize("name", recipes.EPOCHS)
def test_a_twin_differs_in_size_and_length_alone(name, tmp_path):
    config = load_config(find_config(name))
    twin = recipes.twin(name, tmp_path / "some.weights.h5", recipes.EPOCHS[name])
    for same in ("batches", "optimizer", "loss_weights", "augment", "seed", "freeze_backbone_epochs"):
        assert getattr(twin, same) == getattr(config, same)
    sizes = ("embedding_dim", "feature_dim", "grids")
    assert {key: value for key, value in twin.model.items() if key not in sizes} == {
        key: value for key, value in config.model.items() if key not in sizes
    }
    assert twin.backbone == {
        "name": config.backbone["name"],
        **recipes.QUARTERS[config.backbone["name"]].options,
        "weights": str(tmp_path / "some.weights.h5"),
    }
    full, short = (recipe.in_stages() for recipe in (config, twin))
    assert len(full) == len(short)
    for long_stage, stage in zip(full, short, strict=True):
        wanted, rates = audit.stage_rates(long_stage), audit.stage_rates(stage)
        assert len(rates) < len(wanted)
        # The rates fall at the same share of the way, or within an epoch of it; the last ones may fall together.
        for epoch, rate in enumerate(rates):
            begin, end = (place * len(wanted) // len(rates) for place in (max(epoch - 1, 0), epoch + 2))
            around = wanted[begin:end]
            assert min(around) * 0.999 <= rate <= max(around) * 1.001, (epoch, rates, around)


def test_every_network_of_the_papers_has_a_twin():
    def network(config):
        return config.model["name"], config.backbone["name"], config.model.get("shared_layers", 7)

    ours = ("light_", "strong_")  # no paper's
    papers = {network(load_config(find_config(name))) for name in audit.names() if not name.startswith(ours)}
    assert papers == {network(load_config(find_config(name))) for name in recipes.EPOCHS}


@pytest.mark.parametrize(("before", "colours", "learnt"), [(0.2, 0.1, True), (0.4, 0.1, False), (0.2, 0.3, False)])
def test_a_row_and_the_verdict(before, colours, learnt, monkeypatch, capsys):
    trained = []

    def made_run(config, out, training):
        trained.append(out.name)
        out.mkdir()
        references = {"untrained_encoder": {"mAP": before}, "colour_histogram": {"mAP": colours}}
        (out / "metrics.json").write_text(json.dumps({"rank1": 0.5, "mAP": 0.3, "references": references}))

    monkeypatch.setattr(recipes, "_run", made_run)
    names = ["triplet_alexnet_market1501", "joint_loss_market1501"]
    if learnt:
        run(*names)
    else:
        with pytest.raises(SystemExit, match=r"Did not learn: triplet_alexnet_market1501, joint_loss_market1501\.$"):
            run(*names)
    assert trained == ["alexnet", *names]  # only the first begins with pre-trained weights
    _, _, alexnet, joint = capsys.readouterr().out.splitlines()
    answer = "yes" if learnt else "no"
    figures = f"50.0 | 30.0 | {100 * before:.1f} | {100 * colours:.1f} | {answer} |"
    epochs = recipes.EPOCHS["triplet_alexnet_market1501"]
    assert alexnet.startswith(f"| `triplet_alexnet_market1501` | pre-trained weights | {epochs} | ")
    assert alexnet.endswith(figures)
    assert joint.startswith("| `joint_loss_market1501` | random weights | ")
    assert joint.endswith(figures)


@pytest.mark.slow
def test_the_pre_trained_backbone_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("REID_TF_CACHE", str(tmp_path))
    people = ["dataset.identities=12", "dataset.images_per_identity=4", "batches.identities_per_batch=4"]
    small = ["image_size=[32,16]", "backbone.width=4", "epochs=1", "augment=[]", "evaluation={}"]
    config = load_config(find_config("multitask_synthetic"), [*people, *small])
    recipes.pretrain(config, str(tmp_path / "run"), False)
    weights = tmp_path / "run" / recipes.WEIGHTS
    backbone = BACKBONES.build({**config.backbone, "weights": str(weights)}, image_size=(32, 16))
    model = keras.saving.load_model(tmp_path / "run" / "encoder.keras", compile=False)
    trained = model.get_layer(config.backbone["name"]).get_weights()
    assert all((a == b).all() for a, b in zip(backbone.get_weights(), trained, strict=True))


def test_another_name_is_refused():
    with pytest.raises(InputError, match="Unknown recipe: 'triplet_alexnet'. Did you mean"):
        run("triplet_alexnet")


def run(*names):
    parser = argparse.ArgumentParser()
    recipes.add_arguments(parser)
    recipes.main(parser.parse_args(names))
