import dataclasses
import re

import cv2
import pytest

from reid_tf.commands import command_line
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.ranked_file import read_ranked_lists
from tests.commands.made_run import colour_encoder, plain_encoder, write_image, write_run

GALLERY = {
    "blue": (10, 20, 200),
    "green": (20, 180, 10),
    "red": (200, 20, 20),
    "rose": (240, 80, 80),
    "wine": (90, 0, 9),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("search")
    for name, colour in GALLERY.items():
        write_image(root / "gallery" / f"{name}.png", *colour)
    write_image(root / "query" / "2.png", 20, 170, 10)
    write_image(root / "query" / "1.png", 190, 20, 20)
    write_run(root / "run", colour_encoder())
    write_run(root / "without", plain_encoder())
    (root / "empty").mkdir()
    return root


@pytest.fixture
def search(run, folders, tmp_path):
    """A function that searches the gallery; its options override the usual ones."""

    def run_search(*more, **options):
        options = {"run": folders / "run", "gallery": folders / "gallery", "out": tmp_path / "ranked.txt"} | options
        result = run("search", *more, *(part for name, value in options.items() for part in (f"--{name}", value)))
        text = options["out"].read_bytes().decode() if options["out"].exists() else None
        return result, text

    return run_search


def test_every_query_ranks_the_gallery_by_the_encoders_distance(search, folders):
    result, text = search(query=folders / "query", k=3)
    assert result.returncode == 0, result.stderr
    assert text == "1.png: red.png, rose.png, wine.png\n2.png: green.png, wine.png, red.png\n"
    assert "Ranked lists: 2, each of 3 of 5 gallery images" in result.stdout
    assert "There are only" not in result.stdout


def test_a_gallery_smaller_than_k_is_listed_whole(search, folders, tmp_path):
    result, _ = search(query=folders / "query")
    assert "There are only 5 images to rank, fewer than the 50 asked for." in result.stdout
    lists = read_ranked_lists(tmp_path / "ranked.txt")
    assert all(sorted(names) == sorted(f"{name}.png" for name in GALLERY) for names in lists.values())


def test_a_gallery_may_be_embeddings(search, run, folders, tmp_path):
    _, expected = search(query=folders / "query")
    run("embed", "--run", folders / "run", "--images", folders / "gallery", "--out", tmp_path / "gallery.npz")
    result, text = search(query=folders / "query", gallery=tmp_path / "gallery.npz")
    assert result.returncode == 0, result.stderr
    assert text == expected


def test_a_gallery_of_another_encoder_is_refused(search, run, folders, tmp_path):
    """Of another run, and of the same run asked in another way; both are named before a query is read."""
    kept = tmp_path / "gallery.npz"
    for name, more, differing in (("without", [], "weights"), ("run", ["--flip"], "flip")):
        run("embed", "--run", folders / name, *more, "--images", folders / "gallery", "--out", kept)
        result, text = search(query=folders / "query", gallery=kept)
        assert (result.returncode, result.stderr.count("\n"), text) == (2, 1, None)
        assert f"The gallery '{kept}' and the run '{folders / 'run'}' are of encoders that differ in {differing}, " in (
            result.stderr
        )
    result, text = search("--flip", query=folders / "query", gallery=kept)
    assert result.returncode == 0, result.stderr


def test_a_gallery_that_does_not_know_its_encoder_is_searched_with_a_warning(search, run, folders, tmp_path, caplog):
    kept = tmp_path / "gallery.npz"
    run("embed", "--run", folders / "run", "--images", folders / "gallery", "--out", kept)
    dataclasses.replace(Embeddings.load(kept), encoder=None).save(kept)
    caplog.clear()
    result, _ = search(query=folders / "query", gallery=kept)
    assert result.returncode == 0, result.stderr
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        f"{kept} does not say which encoder made its vectors; they are taken for the right one's."
    ]


def test_names_that_the_text_cannot_hold_are_refused_first(search, run, folders, tmp_path, monkeypatch):
    for name, colour in GALLERY.items():
        write_image(tmp_path / "gallery" / f"{name}, smiling.png", *colour)
    loaded = []
    monkeypatch.setattr(command_line, "encoder", lambda arguments: loaded.append(arguments))
    result, text = search(query=folders / "query", gallery=tmp_path / "gallery")
    assert (result.returncode, text, loaded) == (2, None, [])
    assert "ends in .jsonl holds any name. Received: 'blue, smiling.png'" in result.stderr
    monkeypatch.undo()
    result, _ = search(query=folders / "query", gallery=tmp_path / "gallery", out=tmp_path / "ranked.jsonl", k=2)
    assert result.returncode == 0, result.stderr
    assert read_ranked_lists(tmp_path / "ranked.jsonl") == {
        "1.png": ("red, smiling.png", "rose, smiling.png"),
        "2.png": ("green, smiling.png", "wine, smiling.png"),
    }


def test_attributes_choose_what_is_ranked(search, folders):
    result, text = search("--attributes", "colour=red bright=no", query=folders / "query", k=2)
    assert result.returncode == 0, result.stderr
    assert "2 of 5 gallery images show colour=red bright=no." in result.stdout
    assert text == "1.png: red.png, wine.png\n2.png: wine.png, red.png\n"


def test_attributes_may_be_given_in_any_number_of_words(search):
    texts = {
        search(*arguments)[1]
        for arguments in (
            ("--attributes", "colour=red bright=yes"),
            ("--attributes", "colour=red", "bright=yes"),
            ("--attributes", "colour=red", "--attributes", "bright=yes"),
        )
    }
    assert len(texts) == 1


def test_attributes_alone_rank_by_probability(search):
    result, text = search("--attributes", "colour=red", "bright=yes")
    assert result.returncode == 0, result.stderr
    # Red and bright; red, not bright; bright, not red; then by how far each is from both.
    assert text.startswith("attributes: rose.png, red.png, wine.png, ")
    assert re.fullmatch(r"attributes: (\w+\.png, ){4}\w+\.png\n", text)
    assert "The first image shows colour=red bright=yes with probability 0.99" in result.stdout


@pytest.mark.parametrize("by_image", [True, False])
def test_draws_what_was_found(search, folders, tmp_path, by_image):
    by = {"query": folders / "query"} if by_image else {"attributes": "colour=red"}
    result, _ = search(picture=tmp_path / "ranked.png", **by)
    assert result.returncode == 0, result.stderr
    rows, columns = (2, 6) if by_image else (1, 5)
    assert cv2.imread(str(tmp_path / "ranked.png")).shape == (6 + rows * 308, 6 + columns * 144, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Search with --query, with --attributes or with both. Received: None, []."),
        ({"query": "query", "k": "0"}, "Argument --k: it must be at least 1. Received: 0."),
        ({"query": "query", "picture": "a.jpg"}, "--picture must be a .png file. Received: 'a.jpg'."),
        ({"query": "empty"}, "There are no images"),
        ({"query": "none"}, "must be a folder or a CSV file"),
        ({"query": "query", "gallery": "empty"}, "There are no images"),
        ({"query": "query", "run": "none"}, "is not a finished run"),
        ({"attributes": "color=red"}, "Unknown attribute: 'color'. Did you mean 'colour'?"),
        ({"attributes": "colour=blu"}, "Unknown class of the attribute 'colour': 'blu'. Did you mean 'blue'?"),
        ({"attributes": "umbrella"}, "names one attribute. Received: 'umbrella', which names nothing"),
        ({"attributes": "colour=red", "run": "without"}, "predicts no attributes"),
        ({"attributes": "colour=blue bright=yes", "query": "query"}, "None of 5 gallery images shows colour=blue"),
        ({"attributes": "colour=red", "gallery": "gallery.npz"}, "--attributes needs the gallery's images"),
        ({"query": "query", "gallery": "gallery.npz"}, "names none of its 2 images"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(search, folders, options, message):
    Embeddings([[1, 2, 3], [4, 5, 6]], [1, 2], [1, 2]).save(folders / "gallery.npz")
    paths = ("query", "gallery", "run")
    result, text = search(**{key: folders / value if key in paths else value for key, value in options.items()})
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert message in result.stderr
    assert text is None


def test_a_broken_image_is_named(search, folders, tmp_path):
    write_image(tmp_path / "query" / "1.png", 1, 2, 3)
    (tmp_path / "query" / "2.png").write_text("no image")
    result, text = search(query=tmp_path / "query")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "2.png' (8 bytes) is not a valid" in result.stderr
    assert text is None


def test_help_shows_an_example(run):
    result = run("search", "--help")
    assert result.returncode == 0
    assert result.stdout.endswith(
        "reid-tf search --run runs/short --query query/ --gallery gallery/ --out ranked.txt\n"
    )


def test_everyday_words_are_understood(search):
    words, _ = search(attributes="red, bright")
    assert words.returncode == 0, words.stderr
    assert "The first image shows colour=red bright=yes with probability" in words.stdout


def test_results_are_explained(search, folders, tmp_path):
    options = {"query": folders / "query", "k": 3}
    pictures = []
    for name, more in (("plain", ()), ("explained", ("--explain",))):
        result, _ = search(*more, **options, picture=tmp_path / f"{name}.png")
        assert result.returncode == 0, result.stderr
        pictures.append(cv2.imread(str(tmp_path / f"{name}.png")))
    assert pictures[0].shape == pictures[1].shape
    assert (pictures[0] != pictures[1]).any()
    result, _ = search("--explain", query=folders / "query")
    assert "--explain needs --query and --picture. Received: " in result.stderr


def test_lists_are_reranked(search, folders):
    result, text = search("--rerank", "--k1", 3, "--k2", 1, query=folders / "query", k=3)
    assert result.returncode == 0, result.stderr
    assert text.startswith("1.png: red.png, ")
    result, _ = search("--rerank", query=folders / "query")
    assert "k1 must be at most 5, the images of the gallery. Received: k1=20" in result.stderr
    result, _ = search("--rerank", attributes="colour=red")
    assert "--rerank needs --query. Received: None." in result.stderr
