import json

import pandas as pd
import pytest

from reid_tf.config import load_config, save_config
from tests.commands.made_run import colour_encoder, write_image, write_run
from tests.datasets.made_challenge import write_challenge

ROWS = (  # red, green, blue; identity, camera, split; bright, colour: the third answer of "colour" is mistaken
    ((200, 10, 10), 1, 1, "query", "no", "red"),
    ((20, 200, 10), 2, 1, "query", "no", "green"),
    ((190, 90, 80), 1, 2, "gallery", "yes", "blue"),
    ((30, 220, 90), 2, 2, "gallery", "yes", "green"),
    ((10, 10, 220), 3, 2, "gallery", "", "blue"),
    ((250, 250, 250), 4, 2, "train", "yes", "red"),
)


@pytest.fixture
def directory(tmp_path):
    lines = ["path,identity,camera,split,attribute_bright,attribute_colour"]
    for index, (colour, *cells) in enumerate(ROWS):
        write_image(tmp_path / "data" / f"{index}.png", *colour)
        lines.append(",".join(map(str, (f"{index}.png", *cells))))
    (tmp_path / "data" / "records.csv").write_text("\n".join(lines) + "\n")
    return write_run(tmp_path / "run", colour_encoder(), tmp_path / "data")


def test_attributes_are_judged_on_queries_and_gallery(run, directory):
    result = run("evaluate", "--run", directory)
    assert result.returncode == 0, result.stderr
    assert "| % of 5 images " in result.stdout
    out = directory / "evaluation-csv_table"
    assert (out / "attributes.png").is_file()
    table = pd.read_csv(out / "attributes.csv").set_index(["kind", "name"])
    assert table.loc["group", "images"].to_dict() == {"bright": 4, "colour": 5}
    assert table.loc[("group", "colour"), "accuracy"] == pytest.approx(4 / 5)
    assert table.loc[("group", "colour"), "balanced_accuracy"] == pytest.approx((1 + 1 + 1 / 2) / 3)
    assert table.loc[("attribute", "bright"), "f1"] == 1
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["attributes"]["attributes"]["colour=red"]["f1"] == pytest.approx(2 / 3)
    assert metrics["rank1"] == 1


def test_another_data_sets_attributes_can_be_skipped(run, directory, tmp_path):
    table = tmp_path / "data" / "records.csv"
    table.write_text(table.read_text().replace("blue", "navy"))
    result = run("evaluate", "--run", directory)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert (
        "The data set's attributes are not the model's: group 2 is (colour: green, navy, red), and the "
        "model was trained on (colour: blue, green, red)." in result.stderr
    )
    result = run("evaluate", "--run", directory, "--skip-attributes")
    assert result.returncode == 0, result.stderr
    assert not (directory / "evaluation-csv_table" / "attributes.csv").exists()
    assert "attributes" not in json.loads((directory / "evaluation-csv_table" / "metrics.json").read_text())


def test_test_images_without_identities_are_left_for_the_validation_split(run, directory, tmp_path):
    root = write_challenge(tmp_path / "challenge")
    arguments = "--run", directory, "--dataset", "attribute_challenge", "--data", root, "--skip-attributes"
    result = run("evaluate", *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "nothing to judge on: 'attribute_challenge' has no identities for its 2 queries" in result.stderr
    validation = ["evaluation.validation={name: by_order, share: 0.5, queries: 5}"]
    save_config(load_config(directory / "config.yaml", validation), directory / "config.yaml")
    result = run("evaluate", *arguments, "--protocol", "single_camera")
    assert result.returncode == 0, result.stderr
    metrics = json.loads((directory / "evaluation-attribute_challenge" / "metrics.json").read_text())
    assert metrics["valid_queries"] == 5


def test_a_refined_ranking_stands_beside_the_plain_one(run, directory):
    skipping = "--skip-attributes", "--explain"
    result = run("evaluate", "--run", directory, "--expand", 1, "--rerank", "--k1", 2, "--k2", 1, *skipping)
    assert result.returncode == 0, result.stderr
    out = directory / "evaluation-csv_table"
    assert "| queries expanded by 1, re-ranked " in result.stdout
    assert (out / "ranked_lists_explained.png").is_file()
    refined = json.loads((out / "metrics.json").read_text())["refined"]
    assert refined["steps"] == "queries expanded by 1, re-ranked"
    assert refined["rank1"] == 1
    assert len(pd.read_csv(out / "per_query_refined.csv")) == len(pd.read_csv(out / "per_query.csv")) == 2
    assert (out / "ranked_lists_refined.png").is_file()
    assert pd.read_csv(out / "cameras.csv").valid_queries.to_list() == [2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--k1", 5), "belong to --rerank. Received: --k1 5 without it"),
        (("--rerank",), "k1 must be at most 3, the images of the gallery. Received: k1=20"),
        (("--rerank", "--weight", 1.5), "Received: 1.5"),
        (("--rerank", "--shortlist", 3), "at least k1 images, 20. Received: 3"),
        (("--expand", 9), "An expansion takes at most 3 of 3 gallery images. Received: k=9"),
        (("--expand", 1, "--alpha", 3), "Received: alpha=3.0 with 'euclidean'"),
    ],
)
def test_wrong_refinements_are_one_sentence(run, directory, arguments, sentence):
    result = run("evaluate", "--run", directory, *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert sentence in result.stderr


def test_unknown_people_are_searched_for(run, directory, tmp_path):
    result = run("evaluate", "--run", directory, "--open-set", "--skip-attributes")
    assert result.returncode == 0, result.stderr
    assert "| 1 known and 1 unknown queries " in result.stdout
    out = directory / "evaluation-csv_table"
    assert (out / "open_set.png").is_file()
    found = json.loads((out / "metrics.json").read_text())["open_set"]
    assert (found["known_queries"], found["unknown_queries"]) == (1, 1)
    result = run("evaluate", "--run", directory, "--open-set", 0, "--skip-attributes")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "Received: 2 of known and 0 of unknown people" in result.stderr
    result = run("evaluate", "--run", directory, "--open-set", 1)
    assert "must be in [0, 1). Received: 1.0" in result.stderr
