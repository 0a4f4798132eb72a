"""The installed command: which commands there are, and how little each loads."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import reid_tf
from reid_tf.commands import main as module
from reid_tf.commands.main import commands

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def reid_tf_command(monkeypatch, capsys):
    """A function that runs `reid-tf` in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["reid-tf", *map(str, arguments)])
        returncode = 0
        try:
            module.main()
        except SystemExit as end:
            returncode = end.code or 0
        out, err = capsys.readouterr()
        return SimpleNamespace(returncode=returncode, stdout=out, stderr=err)

    return run


def test_every_command_is_listed_with_its_first_line(reid_tf_command):
    listed = reid_tf_command().stdout
    assert reid_tf_command("--help").stdout == listed
    for name in commands():
        assert f"\n  {name} " in listed
    assert "convert-weights  Make a weights file from a published one of PyTorch's" in listed


def test_a_command_runs_under_its_name(reid_tf_command):
    assert reid_tf_command("configs", "--only", "sharenet7_resnet50").stdout.splitlines()[1:] == [
        "  sharenet7_resnet50_market1501",
        "      " + (ROOT / "configs" / "sharenet7_resnet50_market1501.yaml").read_text().splitlines()[0][2:],
    ]
    assert "usage: reid-tf convert-weights [-h]" in reid_tf_command("convert-weights", "--help").stdout


def test_the_version_stands_in_one_place(reid_tf_command):
    assert reid_tf_command("--version").stdout == f"reid-tf {reid_tf.__version__}\n"
    assert f"## {reid_tf.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert "version = attr: reid_tf.__version__" in (ROOT / "setup.cfg").read_text()
    assert "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text()).get("project", {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "Unknown command: 'trian'. Did you mean 'train'"),
        (
            ["train", "--config", "multitask_cuhk03"],
            "no configuration file 'multitask_cuhk03', .*mean 'multitask_cuhk03_np'",
        ),
        (["train", "--model", "multitask", "epochs"], "An override is written key.path=value. Received: 'epochs'"),
        (["train", "--model", "multitask", "epoch=3"], "'epoch'. Did you mean 'epochs'"),
        (["train", "--model", "multitask", "--dataset", "markt1501"], "'markt1501'. Did you mean 'market1501'"),
    ],
)
def test_what_is_wrong_is_one_sentence(reid_tf_command, arguments, message):
    result = reid_tf_command(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


def test_a_command_is_described_without_loading_what_it_works_with():
    code = "import sys, reid_tf.commands.footage; assert not {'numpy', 'cv2', 'tensorflow'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT).returncode == 0


def test_the_overview_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['reid-tf', '--help']; from reid_tf.commands.main import main; main(); "
        "assert not {'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT).returncode == 0
