import argparse

import pytest

from reid_tf.commands.benchmarks import backbones
from reid_tf.errors import InputError

SMALL = ("--backbones", "tiny", "--image-size", "32", "16", "--batch", "4", "--rounds", "1")


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    backbones.add_arguments(parser)
    return parser.parse_args(arguments)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.mark.slow
def test_a_row_has_the_costs_and_four_speeds(capsys):
    backbones.main(parse(*SMALL, "--peer-rounds", "0"))
    title, _, header, rule, row = capsys.readouterr().out.splitlines()
    assert title == "32 x 16, 4 images per batch, speeds in images/s"
    assert cells(header) == list(backbones.COLUMNS)
    assert len(cells(rule)) == len(backbones.COLUMNS)
    name, parameters, with_classifier, _, *speeds = cells(row)
    assert (name, parameters) == ("tiny", "0.30")
    assert float(with_classifier) - float(parameters) == pytest.approx((128 + 1) / 1000, abs=0.011)
    assert len(speeds) == 4
    assert min(map(float, speeds)) > 0


@pytest.mark.slow
def test_pytorch_in_both_ways_of_bfloat16(capsys):
    pytest.importorskip("torch")
    peers = ("--peers", "mobilenet_v2", "resnet18", "--peer-rounds", "2", "--no-training")
    backbones.peer_table(parse(*SMALL, "--image-size", "32", "32", *peers))
    rows = [cells(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == list(backbones.PEER_COLUMNS)
    forms = ["embedding, float32", "embedding, bfloat16 autocast", "embedding, bfloat16 weights"]
    assert [row[:2] for row in rows[2:]] == [[name, form] for name in ("mobilenet_v2", "resnet18") for form in forms]
    for _, _, ours, theirs, ratio, spread in rows[2:]:
        lowest, highest = map(float, spread.split(" to "))
        assert lowest <= float(ratio) <= highest
        assert lowest * 0.9 < float(ours) / float(theirs) < highest * 1.1


def test_a_training_step_of_pytorch_learns():
    pytest.importorskip("torch")
    from reid_tf.commands.benchmarks import torch_networks, torch_steps

    images, identities = backbones.batch(parse(*SMALL, "--image-size", "32", "32"))
    network = torch_networks.PEERS["resnet18"].build()
    step = torch_steps.steps(network, images, identities, 751, training=True)["training, float32"]
    losses = [step() for _ in range(20)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("name", "published", "channels"),
    [
        ("resnet50", 25_557_032, 2048),
        ("resnet101", 44_549_160, 2048),
        ("mobilenet_v2", 3_504_872, 1280),
        ("efficientnet_lite0", 4_652_008, 1280),
    ],
)
def test_pytorchs_networks_have_the_published_sizes(name, published, channels):
    torch = pytest.importorskip("torch")
    from reid_tf.commands.benchmarks.torch_networks import PEERS, bottleneck_resnet

    with torch.device("meta"):
        network = bottleneck_resnet((3, 4, 23, 3)) if name == "resnet101" else PEERS[name].build()
        assert sum(weight.numel() for weight in network.parameters()) == published
        assert network.feature_map(torch.zeros(2, 3, 256, 128)).shape == (2, channels, 8, 4)


def test_a_network_that_is_not_written_in_pytorch():
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="Unknown network written in PyTorch: 'vgg16'"):
        backbones.peer_table(parse(*SMALL, "--peers", "vgg16"))


def test_without_pytorch(capsys, monkeypatch):
    monkeypatch.setattr(backbones.importlib.util, "find_spec", lambda name: None)
    backbones.peer_table(parse(*SMALL))
    assert capsys.readouterr().out == "PyTorch is not installed: its networks were not measured.\n"


def test_an_unknown_backbone_is_named_before_anything_is_measured(capsys):
    with pytest.raises(InputError, match="Unknown backbone: 'resnet51'"):
        backbones.main(parse("--backbones", "tiny", "resnet51"))
    assert capsys.readouterr().out == ""
