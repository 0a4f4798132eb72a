"""The table of docs/papers.md against the configurations and the networks that they build."""

from pathlib import Path

import pytest

from tests import audit

PAGE = Path(__file__).resolve().parents[1] / "docs" / "papers.md"
NETWORKS = ["joint_loss_triplet_1_05_market1501", "multitask_five_resnet50_market1501", "sharenet7_resnet50_market1501"]


@pytest.fixture(scope="module")
def printed():
    lines = PAGE.read_text().split("<!-- audit -->\n")[1].split("\n<!-- end -->")[0].splitlines()
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in lines]
    assert rows[0] == audit.HEADER
    return {row[0].strip("`"): row for row in rows[2:]}


def test_every_configuration_of_the_papers_is_there_with_its_rates_and_validation(printed):
    assert sorted(printed) == audit.names()
    for name, row in printed.items():
        found = audit.row(name, networks=False)
        assert (row[0], *row[3:]) == (found[0], *found[3:])


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_weights_and_parameters_are_those_of_the_network(printed, name):
    assert audit.row(name) == printed[name]


@pytest.mark.parametrize(
    ("name", "epochs"),
    [
        ("multitask_resnet50_market1501", {1: 0.05, 40: 0.05, 41: 5e-3, 46: 5e-4, 60: 5e-6}),
        ("multitask_res2net50_market1501", {1: 0.005, 5: 0.005, 6: 0.05, 41: 5e-3, 81: 5e-4, 256: 5e-8}),
        ("sharenet7_alexnet_market1501", {1: 1e-3}),
        ("sharenet7_resnet50_market1501", {1: 1e-4}),
    ],
)
def test_rates_are_those_that_the_papers_print(name, epochs):
    (path,) = (path for path in audit.config_files() if path.stem == name)
    config = audit.load_config(path)
    assert config.optimizer.get("pretrained_rate", 1.0) == 1.0
    rates = audit.stage_rates(config)
    assert {epoch: rates[epoch - 1] for epoch in epochs} == pytest.approx(epochs)


def test_validation_takes_little_time(printed):
    shares = {name: float(row[4].split(", ")[-1].rstrip("%")) for name, row in printed.items()}
    attributes = {name for name in shares if name.startswith("attribute_")}  # after each epoch, as their paper has it
    assert all(share <= 5 for name, share in shares.items() if name not in attributes)
