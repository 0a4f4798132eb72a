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


def test_pytorch_in_both_ways_of_bfloat16(capsys, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(backbones, "PEER_BLOCKS", (1, 1, 1, 1))
    monkeypatch.setattr(backbones, "OUR_PEER", {"name": "tiny"})
    backbones.peer_table(parse(*SMALL, "--peer-rounds", "2", "--no-training"))
    rows = [cells(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == list(backbones.PEER_COLUMNS)
    assert [row[0] for row in rows[2:]] == [
        "embedding, float32",
        "embedding, bfloat16 autocast",
        "embedding, bfloat16 weights",
    ]
    for _, ours, theirs, ratio, spread in rows[2:]:
        lowest, highest = map(float, spread.split(" to "))
        assert lowest <= float(ratio) <= highest
        assert lowest * 0.9 < float(ours) / float(theirs) < highest * 1.1


def test_pytorchs_networks_are_torchvisions_in_size():
    torch = pytest.importorskip("torch")
    from reid_tf.commands.benchmarks.torch_resnet import bottleneck_resnet

    with torch.device("meta"):
        networks = [bottleneck_resnet(blocks) for blocks in ((3, 4, 6, 3), (3, 4, 23, 3))]
        counts = [sum(weight.numel() for weight in network.parameters()) for network in networks]
        assert counts == [25_557_032, 44_549_160]
        assert networks[0].feature_map(torch.zeros(2, 3, 256, 128)).shape == (2, 2048, 8, 4)


def test_without_pytorch(capsys, monkeypatch):
    monkeypatch.setattr(backbones.importlib.util, "find_spec", lambda name: None)
    backbones.peer_table(parse(*SMALL))
    assert capsys.readouterr().out == "PyTorch is not installed: its ResNet-50 was not measured.\n"


def test_an_unknown_backbone_is_named_before_anything_is_measured(capsys):
    with pytest.raises(InputError, match="Unknown backbone: 'resnet51'"):
        backbones.main(parse("--backbones", "tiny", "resnet51"))
    assert capsys.readouterr().out == ""
