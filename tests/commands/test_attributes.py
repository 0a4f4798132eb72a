import csv
import re

import numpy as np
import pytest

from reid_tf.datasets.attributes.annotation_csv import read_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.encoder import embed as embed_module
from tests.commands.made_run import colour_encoder, plain_encoder, schema_encoder, write_image, write_run

HEADER = (
    "id,age,backpack,bag,handbag,clothes,down,up,hair,hat,gender,upmulticolor,upblack,upwhite,upred,uppurple,upyellow,"
    "upgray,upblue,upgreen,downmulticolor,downblack,downwhite,downpink,downpurple,downyellow,downgray,downblue,"
    "downgreen,downbrown"
)


@pytest.fixture
def images(tmp_path):
    write_image(tmp_path / "images" / "b.png", 200, 30, 20)
    write_image(tmp_path / "images" / "a.png", 20, 40, 60)
    write_image(tmp_path / "images" / "c.png", 150, 160, 150)
    return tmp_path / "images"


def test_market_attributes_are_written_in_the_annotation_format(run, images, tmp_path):
    encoder = schema_encoder(MARKET1501_SCHEMA)
    directory = write_run(tmp_path / "run", encoder)
    out = tmp_path / "new" / "attributes.csv"
    result = run("attributes", "--run", directory, "--images", images, "--out", out)
    assert result.returncode == 0, result.stderr
    assert f"12 attribute groups of 3 images (annotation format): {out}" in result.stdout
    lines = out.read_bytes().decode("ascii").split("\n")
    assert lines[0] == HEADER
    assert lines[-1] == ""
    row = r"[abc]\.png,[1-4](,[12]){9}((,1){0,9},2(,1){0,9}){2}"  # one colour a piece of clothing
    assert all(re.fullmatch(row, line) and line.count(",") == HEADER.count(",") for line in lines[1:-1])

    pixels = {name: np.full((1, 16, 8, 3), colour) for name, colour in (("a", (20, 40, 60)), ("b", (200, 30, 20)))}
    for name, image in pixels.items():
        outputs = np.asarray(encoder.model({"image": image})["attributes"])
        assert read_annotations(out)[f"{name}.png"] == tuple(encoder.attributes.answers(outputs)[0])
    assert list(read_annotations(out)) == ["a.png", "b.png", "c.png"]


def test_other_attributes_are_written_in_words(run, images, tmp_path):
    write_image(images / "more" / "d.png", 0, 90, 20)
    directory = write_run(tmp_path / "run", colour_encoder())
    result = run("attributes", "--run", directory, "--images", images, "--out", tmp_path / "a.csv")
    assert result.returncode == 0, result.stderr
    assert "one column per group" in result.stdout
    assert (tmp_path / "a.csv").read_text().split("\n") == [
        "id,bright,colour", "a.png,no,blue", "b.png,no,red", "c.png,yes,green", "more/d.png,no,green", "",
    ]  # fmt: skip


def test_junk_scores_are_the_sums_of_squared_outputs_in_ascending_order(run, images, tmp_path):
    encoder = colour_encoder()
    directory = write_run(tmp_path / "run", encoder)
    arguments = "--run", directory, "--images", images, "--out", tmp_path / "a.csv"
    result = run("attributes", *arguments, "--junk-scores", tmp_path / "junk.csv")
    assert result.returncode == 0, result.stderr
    assert f"junk scores, likely junk first: {tmp_path / 'junk.csv'}" in result.stdout
    rows = list(csv.DictReader((tmp_path / "junk.csv").open()))
    colours = {"a.png": (20, 40, 60), "b.png": (200, 30, 20), "c.png": (150, 160, 150)}
    for row in rows:
        outputs = encoder.model({"image": np.full((1, 16, 8, 3), colours[row["image"]])})["attributes"]
        assert float(row["score"]) == pytest.approx(float((np.asarray(outputs, float) ** 2).sum()), abs=1e-5)
    assert [row["image"] for row in rows] == ["c.png", "a.png", "b.png"]  # gray is hard to call, red is not


def test_one_command_writes_the_attributes_and_the_ranked_lists(run, images, tmp_path, monkeypatch):
    for number, colour in enumerate(((210, 20, 20), (140, 150, 160))):
        write_image(tmp_path / "queries" / f"{number}.png", *colour)
    directory = write_run(tmp_path / "run", colour_encoder())
    embedded = []
    original = embed_module._outputs
    monkeypatch.setattr(embed_module, "_outputs", lambda *given: embedded.append(len(given[1])) or original(*given))
    arguments = "--run", directory, "--images", images, "--out", tmp_path / "a.csv", "--queries", tmp_path / "queries"
    result = run("attributes", *arguments, "--ranked", tmp_path / "new" / "ranked.txt")
    assert result.returncode == 0, result.stderr
    assert sorted(embedded) == [2, 3]  # the images once, for both files
    assert f"ranked lists: 2, each of 3 of 3 images: {tmp_path / 'new' / 'ranked.txt'}" in result.stdout
    text = (tmp_path / "new" / "ranked.txt").read_text()
    assert text == "0.png: b.png, a.png, c.png\n1.png: c.png, a.png, b.png\n"
    searched = "--run", directory, "--query", tmp_path / "queries", "--gallery", images, "--out", tmp_path / "s.txt"
    assert run("search", *searched).returncode == 0
    assert (tmp_path / "s.txt").read_text() == text
    assert (tmp_path / "a.csv").read_text().startswith("id,bright,colour\na.png,no,blue\n")
    assert run("attributes", *arguments, "--ranked", tmp_path / "short.txt", "--k", 1).returncode == 0
    assert (tmp_path / "short.txt").read_text() == "0.png: b.png\n1.png: c.png\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--queries", "q"], "need both --queries and --ranked. Received: --queries q and --ranked None."),
        (["--ranked", "r.txt"], "Received: --queries None and --ranked r.txt."),
        (
            ["--queries", "q", "--ranked", "r.txt", "--k", "0"],
            "Argument --k: it must be at least 1. Received: 0.",
        ),
        (["--queries", "q", "--ranked", "r.txt"], "must be a folder or a CSV file. Received: 'q'"),
    ],
)
def test_wrong_ranked_lists_are_one_sentence(run, images, tmp_path, arguments, message):
    directory = write_run(tmp_path / "run", colour_encoder())
    result = run("attributes", "--run", directory, "--images", images, "--out", tmp_path / "a.csv", *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert message in result.stderr
    assert not (tmp_path / "a.csv").exists()


def test_wrong_input_is_one_sentence_and_exit_code_2(run, images, tmp_path):
    directory = write_run(tmp_path / "run", colour_encoder())
    without = write_run(tmp_path / "without", plain_encoder())
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    write_image(broken / "0.png", 1, 2, 3)
    (broken / "1.png").write_bytes((broken / "0.png").read_bytes()[:40])
    for given, folder, message in (
        (without, images, "predicts no attributes; take a run of the model attribute"),
        (tmp_path / "no", images, "is not a finished run"),
        (directory, tmp_path / "empty", f".webp, .tif, .tiff) in '{tmp_path}/empty'"),
        (directory, tmp_path / "no", "must be a folder or a CSV file"),
        (directory, broken, "1.png' (40 bytes) is not a valid"),
    ):
        result = run("attributes", "--run", given, "--images", folder, "--out", tmp_path / "a.csv")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
    assert not (tmp_path / "a.csv").exists()


def test_help_shows_an_example(run):
    result = run("attributes", "--help")
    assert result.returncode == 0
    assert "\n  reid-tf attributes --run runs/attribute --images crops/ --out attributes.csv\n" in result.stdout
    assert result.stdout.endswith("--queries queries/ --ranked ranked.txt\n")


@pytest.mark.real_data
def test_the_format_is_that_of_the_published_file(real_data):
    assert (real_data / "trento" / "annotations_sample.csv").read_text().split("\n")[0] == HEADER
