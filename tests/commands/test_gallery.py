import importlib.util
import json
import subprocess
import sys

import cv2
import pytest

from reid_tf.gallery import Gallery
from tests.commands.made_run import colour_encoder, write_image, write_run
from tests.gallery.conftest import COLOURS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("milvus_lite") is None, reason="the extra [gallery] is not installed"
)


@pytest.fixture
def folders(tmp_path):
    for name, colour in COLOURS.items():
        write_image(tmp_path / "crops" / f"{name}.png", *colour)
    write_image(tmp_path / "query.png", 190, 20, 20)
    write_run(tmp_path / "run", colour_encoder())
    return tmp_path


@pytest.fixture
def gallery(run, folders):
    """A function that runs an action on the gallery `seen`."""

    def act(action, *more, with_run=False):
        encoder = ("--run", folders / "run") if with_run else ()
        return run("gallery", action, "--gallery", folders / "seen", *encoder, *more)

    return act


@pytest.fixture
def filled(gallery, folders):
    result = gallery("add", "--images", folders / "crops", "--camera", "door", with_run=True)
    assert result.returncode == 0, result.stderr
    return gallery


def test_from_images_to_results(filled, folders):
    again = filled("add", "--images", folders / "crops", "--camera", "door", "--json", with_run=True)
    assert json.loads(again.stdout) == {"added": 0, "known": 5, "refused": {}, "rows": 5}
    table = folders / "crops" / "table.csv"
    table.write_text("path,camera,time,person\nwine.png,yard,2026-05-01T12:00:00Z,Ada\n")
    assert (
        "1 added, 0 there already, 0 refused; the gallery has 6 rows."
        in filled("add", "--images", table, with_run=True).stdout
    )
    result = filled("search", "--query", folders / "query.png", "--k", 2, with_run=True)
    assert result.returncode == 0, result.stderr
    first = result.stdout.splitlines()[0]
    assert first.startswith("d = ")
    assert "red.png  camera door" in first
    since = "2026-05-01T13:00:00+02:00"
    result = filled("search", "--query", folders / "query.png", "--since", since, "--json", with_run=True)
    (found,) = json.loads(result.stdout)
    assert (found["camera"], found["time"], found["person"]) == ("yard", "2026-05-01T12:00:00+00:00", "Ada")
    words = "--attributes", "colour=red", "bright=yes"
    result = filled("search", *words, "--picture", folders / "found.png", with_run=True)
    assert "rose.png" in result.stdout
    assert cv2.imread(str(folders / "found.png")).std() > 0


def test_what_needs_no_encoder(filled, folders):
    assert json.loads(filled("stats", "--json").stdout)["cameras"] == {"door": 5}
    assert "rows     5\ncameras  door 5\n" in filled("stats").stdout
    assert "0 of 5 rows lack their image." in filled("verify").stdout
    assert "5 rows: " in filled("export", "--out", folders / "kept.parquet").stdout
    result = filled("delete", "--camera", "door")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "delete all 5 rows, for which --yes is needed" in result.stderr
    assert "5 deleted; the gallery has 0 rows." in filled("delete", "--camera", "door", "--yes").stdout
    assert "5 imported; the gallery has 5 rows." in filled("import", "--file", folders / "kept.parquet").stdout


def test_another_encoder_takes_over(filled, folders):
    write_run(folders / "other", colour_encoder().with_options(normalize=True))
    result = filled("reembed", "--run", folders / "other", "--to", folders / "new")
    assert f"5 rows in {folders / 'new'}, 0 left out." in result.stdout
    with Gallery(folders / "new") as new:
        assert len(new) == 5


def test_refused_images_are_named_on_standard_error(gallery, folders):
    (folders / "crops" / "broken.png").write_bytes(b"no image")
    result = gallery("add", "--images", folders / "crops", with_run=True)
    assert result.returncode == 0
    assert "5 added, 0 there already, 1 refused" in result.stdout
    assert result.stderr.count("broken.png was not added") + result.stderr.count("not added: ") == 1


@pytest.mark.parametrize(
    ("action", "arguments", "sentence"),
    [
        ("search", ("--query", "none.png"), "needed for"),
        ("search", (), "needs an image, a vector, a person or attributes"),
        ("add", ("--images", "none"), "which does not exist"),
        ("add", ("--images", "query.png"), "embedded by the gallery's encoder"),
        ("delete", (), "Say which rows to delete, or --yes"),
        ("export", ("--out", "kept.txt"), "a .parquet or an .npz file"),
        ("import", ("--file", "none.npz"), "There is no exported gallery"),
        ("delete", ("--until", "2026-05-01T12:00"), "needs its zone"),
    ],
)
def test_bad_input_is_one_sentence(filled, folders, monkeypatch, action, arguments, sentence):
    monkeypatch.chdir(folders)
    result = filled(action, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert sentence in result.stderr


def test_an_open_gallery_is_not_opened_again(filled, folders):
    code = "import sys; from reid_tf.gallery import Gallery; g = Gallery(sys.argv[1]); print(len(g), flush=1); input()"
    command = [sys.executable, "-c", code, folders / "seen"]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "5\n"
        result = filled("stats")
        assert (result.returncode, result.stderr.count("\n")) == (2, 1)
        assert "is being written by process" in result.stderr
    finally:
        other.communicate("\n")
    assert filled("stats").returncode == 0
