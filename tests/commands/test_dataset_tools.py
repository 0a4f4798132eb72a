import cv2
import numpy as np
import pytest


@pytest.fixture
def root(tmp_path):
    rows = ["1,1,train", "1,2,train", "anna,1,query", "anna,2,gallery"]
    lines = ["path,who,camera,split", *(f"{index}.jpg,{row}" for index, row in enumerate(rows))]
    (tmp_path / "records.csv").write_text("\n".join(lines) + "\n")
    for index in range(len(rows)):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), np.full((16, 8, 3), 20 * index, np.uint8))
    return tmp_path


def csv_arguments(root):
    return "--dataset", "csv_table", "--data", root, "--option", "identity_column=who"


def test_check_prints_the_splits_and_ends_with_zero(run, root):
    result = run("check", *csv_arguments(root), "--skip-images")
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[:4] == [
        ["csv_table", "images", "identities", "cameras"],
        ["train", "2", "1", "2"],
        ["query", "1", "1", "1"],
        ["gallery", "1", "1", "1"],
    ]
    assert result.stdout.endswith("No error was found.\n")


def test_check_ends_with_one_where_there_are_errors(run, root):
    (root / "2.jpg").write_text("no image")
    result = run("check", *csv_arguments(root))
    assert result.returncode == 1, result.stderr
    assert f"error: 1 image not an image file (JPEG, PNG, BMP, GIF, WebP, TIFF): {root}/2.jpg." in result.stdout
    assert result.stdout.endswith("Errors found: 1.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "market1501", "--data", "nowhere"), "error: The folder 'nowhere' for the data set 'market1501'"),
        (("--dataset", "marked1501"), "error: Unknown data set: 'marked1501'. Did you mean 'market1501'?"),
        (("--option", "boxes"), "error: --option must be KEY=VALUE, such as boxes=labeled. Received: 'boxes'."),
        (("--option", "boxes=[a"), "error: The value of --option 'boxes=[a' cannot be read"),
        (("--dataset", "cuhk03", "--data", ".", "--option", "boxes=x"), "Input should be 'detected' or 'labeled'"),
    ],
)
def test_wrong_arguments_are_one_line(run, arguments, message):
    result = run("check", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_prepare_writes_what_check_reads(run, root, tmp_path):
    result = run("prepare", *csv_arguments(root), "--out", tmp_path / "out" / "prepared")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Wrote 4 images. Use them with: --dataset prepared --data {tmp_path}/out/prepared\n"
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["prepared"]
    assert (
        run("check", "--dataset", "prepared", "--data", tmp_path / "out" / "prepared", "--skip-images").returncode == 0
    )
    again = run("prepare", *csv_arguments(root), "--out", tmp_path / "out" / "prepared")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("tool", ["check", "prepare"])
def test_help_shows_an_example(run, tool):
    result = run(tool, "--help")
    assert result.returncode == 0
    assert f"reid-tf {tool} --dataset synthetic" in result.stdout
