import importlib.util

import cv2
import numpy as np
import pytest

from reid_tf.commands import footage as command
from reid_tf.errors import InputError
from reid_tf.footage.camera import read_cameras
from reid_tf.footage.follow import Sampling
from reid_tf.footage.footage import people_of
from reid_tf.footage.remember import remember
from reid_tf.gallery import Gallery
from tests.commands.made_run import colour_encoder, write_run
from tests.footage.conftest import footage  # noqa: F401

ASKED = ("--every", "0.2", "--threshold", "0.2", "--least-height", "8")


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", colour_encoder().with_options(distance="cosine"))


def called(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["reid-tf footage", *map(str, arguments)])
    command.main()


def test_people_sheets_and_a_timeline(monkeypatch, capsys, run, footage, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    called(monkeypatch, "--cameras", footage, "--run", run, "--out", out, *ASKED, "--travel", "door:yard=0-60")
    assert "4 people in 8 tracks" in capsys.readouterr().out
    assert sorted(path.name for path in (out / "sheets").iterdir()) == [f"000{person}.png" for person in (1, 2, 3, 4)]
    assert (out / "timeline.png").stat().st_size > 1000
    assert 'href="sheets/0001.png"' in (out / "timeline.html").read_text()
    called(monkeypatch, "--cameras", footage, "--run", run, "--out", out, *ASKED, "--travel", "yard:door=60-90")
    assert "8 people in 8 tracks" in capsys.readouterr().out
    assert len(list((out / "sheets").iterdir())) == 8


@pytest.mark.skipif(importlib.util.find_spec("milvus_lite") is None, reason="the extra [gallery] is not installed")
def test_people_into_a_gallery(footage, tmp_path):  # noqa: F811
    encoder, out = colour_encoder().with_options(distance="cosine"), tmp_path / "out"
    cameras, sampling = read_cameras(footage), Sampling(every=0.2, least_height=8)
    people = people_of(encoder, cameras, out, sampling, threshold=0.2)
    crops = len(list((out / "crops").iterdir()))
    with Gallery(tmp_path / "seen", encoder) as gallery:
        assert remember(people, out, gallery) == (crops, crops)
        assert gallery.stats()["persons"] == 4
        entries = list(gallery.entries(camera="yard", track=4))
        assert len(entries) == sampling.crops
        assert min(entry.time for entry in entries).isoformat() >= "2026-05-01T08:00:10.5"
        apart = people_of(encoder, cameras, out, sampling, threshold=0.2, travel={("yard", "door"): (60, 90)})
        assert remember(apart, out, gallery) == (0, crops)
        assert gallery.stats()["persons"] == 8


def test_who_was_blurred_stays_blurred(monkeypatch, run, footage, tmp_path):  # noqa: F811
    def sheet(name):
        return cv2.imread(str(tmp_path / name / "sheets" / "0001.png"))

    asked = ("--cameras", footage, "--run", run, *ASKED)
    called(monkeypatch, *asked, "--out", tmp_path / "plain")
    called(monkeypatch, *asked, "--out", tmp_path / "blurred", "--blur", "faces")
    first = sheet("blurred")
    assert first.shape == sheet("plain").shape
    assert (first != sheet("plain")).any()
    called(monkeypatch, *asked, "--out", tmp_path / "blurred")  # nobody says it again
    called(monkeypatch, "--forget", 2, "--out", tmp_path / "blurred")
    np.testing.assert_array_equal(sheet("blurred"), first)
    called(monkeypatch, "--forget", 3, "--out", tmp_path / "blurred", "--blur", "none")
    np.testing.assert_array_equal(sheet("blurred"), sheet("plain"))


def test_people_are_forgotten(monkeypatch, capsys, run, footage, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    called(monkeypatch, "--cameras", footage, "--run", run, "--out", out, *ASKED)
    called(monkeypatch, "--forget", 2, 3, "--out", out)
    assert "2 people are left" in capsys.readouterr().out
    assert sorted(path.name for path in (out / "sheets").iterdir()) == ["0001.png", "0004.png"]
    called(monkeypatch, "--forget", 1, 4, "--out", out)
    assert not (out / "timeline.html").exists()


@pytest.mark.parametrize("travel", ["door=1-2", "door:yard", "door:yard=5-1", "door:yard=a-b"])
def test_wrong_ways(monkeypatch, run, footage, travel):  # noqa: F811
    with pytest.raises(InputError, match="--travel takes two cameras and seconds"):
        called(monkeypatch, "--cameras", footage, "--run", run, "--out", "out", "--travel", travel)


def test_footage_needs_an_encoder(monkeypatch, footage):  # noqa: F811
    with pytest.raises(InputError, match="needs the encoder of a --run"):
        called(monkeypatch, "--cameras", footage, "--out", "out")
