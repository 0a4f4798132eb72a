import argparse
import dataclasses

import pytest

from reid_tf.commands.benchmarks import frontier
from reid_tf.commands.command_line import find_config
from reid_tf.config import load_config
from reid_tf.errors import InputError


@pytest.fixture(scope="module")
def config():
    return load_config(find_config(frontier.CONFIG))


@pytest.mark.parametrize(
    ("text", "component"),
    [
        ("efficientnet_lite0:6", {"name": "efficientnet_lite0", "stages": 6, "weights": "imagenet"}),
        ("mobilenet_v2", {"name": "mobilenet_v2", "weights": "imagenet"}),
        ("resnet18", {"name": "resnet18", "width": 32, "stem": "light"}),
        ("osnet_x0_25", {"name": "osnet_x0_25"}),  # whose weights no package brings
    ],
)
def test_the_backbone_alone_differs(text, component, config):
    changed = frontier.with_backbone(config, text)
    assert changed.backbone == component
    others = [field.name for field in dataclasses.fields(config) if field.name not in ("backbone", "evaluation")]
    assert [getattr(changed, name) for name in others] == [getattr(config, name) for name in others]


def test_one_of_them_is_the_recipe_itself(config):
    assert frontier.with_backbone(config, "mobilenet_v2:6").backbone == config.backbone
    for text in frontier.BACKBONES:
        frontier.with_backbone(config, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resnet19", "Unknown backbone: 'resnet19'"),
        ("mobilenet_v2:all", "must be a whole number, as in NAME:6. Received: 'mobilenet_v2:all'"),
        ("tiny:2", "Unknown option.*'stages'"),
        ("mobilenet_v2:0", "'stages' of the backbone 'mobilenet_v2'.*Received: 0"),
    ],
)
def test_what_is_refused(text, message, config):
    with pytest.raises(InputError, match=message):
        frontier.with_backbone(config, text)


@pytest.mark.slow
def test_rows_and_a_picture(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    frontier.add_arguments(parser)
    settings = ("image_size=[64,32]", "batches.identities_per_batch=8", "steps_per_epoch=4")
    arguments = parser.parse_args(
        [
            *("--config", "triplet_synthetic", "--backbones", "tiny", "mobilenet_v2:4"),
            *("--minutes", "0.05", "--out", str(tmp_path / "frontier.png")),
            *(word for setting in settings for word in ("--set", setting)),
        ]
    )
    frontier.main(arguments)
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in rows[0]] == list(frontier.HEADER)
    assert [row[0].strip() for row in rows[2:]] == ["tiny", "mobilenet_v2:4"]
    for row in rows[2:]:
        assert int(row[2]) >= 1
        assert float(row[5]) > 0
        assert float(row[6]) > 0
    assert (tmp_path / "frontier.png").exists()
