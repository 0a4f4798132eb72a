import numpy as np
import pytest

from reid_tf.datasets.landmarks import read_detector, read_landmarks, write_landmarks
from reid_tf.errors import InputError
from reid_tf.pose import landmark_cache
from reid_tf.pose.landmark_cache import LandmarkCache

DETECTOR = {"name": "dots", "size": (2, 3)}
POINTS = np.full((18, 3), 0.5, np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "made" / "landmarks.npz"


def fill(path, names, **options):
    with LandmarkCache(path, DETECTOR, **options) as cache:
        for name in names:
            cache.add(name, POINTS)
    return cache


def test_the_file_is_written_when_all_is_well(path):
    fill(path, ["a.jpg", "b.jpg"])
    assert sorted(read_landmarks(path)) == ["a.jpg", "b.jpg"]
    assert read_detector(path) == {"name": "dots", "size": [2, 3]}
    assert [file.name for file in path.parent.iterdir()] == ["landmarks.npz"]


def test_an_interrupted_run_is_taken_up(path):
    def break_off():
        with LandmarkCache(path, DETECTOR) as cache:
            cache.add("a.jpg", POINTS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [file.name for file in path.parent.iterdir()] == ["landmarks.unfinished.npz"]
    assert not LandmarkCache(path, {"name": "other"}).landmarks
    cache = fill(path, ["b.jpg"])
    assert sorted(cache.landmarks) == sorted(read_landmarks(path)) == ["a.jpg", "b.jpg"]
    assert not cache.unfinished.exists()


def test_progress_is_saved_now_and_then(path, monkeypatch):
    with LandmarkCache(path, DETECTOR) as cache:
        cache.add("a.jpg", POINTS)
        assert not read_landmarks(cache.unfinished)
        monkeypatch.setattr(landmark_cache, "_SECONDS_BETWEEN_SAVES", 0.0)
        cache.add("b.jpg", POINTS)
        assert sorted(read_landmarks(cache.unfinished)) == ["a.jpg", "b.jpg"]


def test_the_same_detector_keeps_what_is_there(path):
    fill(path, ["a.jpg"])
    assert sorted(LandmarkCache(path, DETECTOR).landmarks) == ["a.jpg"]
    fill(path, ["b.jpg"])
    assert sorted(read_landmarks(path)) == ["a.jpg", "b.jpg"]
    fill(path, ["c.jpg"], overwrite=True)
    assert sorted(read_landmarks(path)) == ["c.jpg"]


@pytest.mark.parametrize(
    ("detector", "name"), [({"name": "other"}, '{"name": "other"}'), (None, "an unnamed detector")]
)
def test_another_detectors_file_is_kept(path, detector, name):
    path.parent.mkdir()
    write_landmarks(path, {"a.jpg": POINTS}, detector)
    with pytest.raises(InputError, match=f"landmarks of {name}, not of {{.*dots.*--overwrite replaces it, --out names"):
        LandmarkCache(path, DETECTOR)
    fill(path, ["b.jpg"], overwrite=True)
    assert sorted(read_landmarks(path)) == ["b.jpg"]


def test_a_folder_that_cannot_be_written_to_is_named_first(path):
    path.parent.mkdir()
    path.parent.chmod(0o555)
    with pytest.raises(InputError, match=r"npz' cannot be written: the folder '.*' is read-only"):
        fill(path, [])
    path.parent.chmod(0o755)
    assert not list(path.parent.iterdir())
    (path.parent / "file").touch()
    with pytest.raises(InputError, match="cannot be written: .* above it is a file"):
        fill(path.parent / "file" / "landmarks.npz", [])
