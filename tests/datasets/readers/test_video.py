import numpy as np
import pytest

from reid_tf.datasets.readers.video import read_frames
from reid_tf.errors import InputError
from tests.datasets.made_video import FRAMES, frame, write_frames, write_video


def test_the_wanted_frames_of_a_video(tmp_path):
    write_video(tmp_path)
    wanted = [0, 1, 7, 38, 39]
    frames = list(read_frames(tmp_path / "TownCentreXVID.avi", wanted))
    assert len(frames) == len(wanted)
    for number, image in zip(wanted, frames, strict=True):
        # The ground's grey grows by 5 a frame.
        assert np.median(image) == pytest.approx(np.median(frame(number)), abs=2.4)
        assert np.abs(image.astype(int) - frame(number)).mean() < 6


@pytest.mark.parametrize("first", [0, 1])
def test_the_wanted_frames_of_a_folder(tmp_path, first):
    write_frames(tmp_path, first)
    for number, image in zip([0, 5, 39], read_frames(tmp_path / "frames", [0, 5, 39]), strict=True):
        np.testing.assert_array_equal(image, frame(number))


def test_frames_that_nobody_wants_may_be_gone(tmp_path):
    write_frames(tmp_path)
    for number in range(FRAMES):
        if number % 5:
            (tmp_path / "frames" / f"town2_{number:04d}.png").unlink()
    images = list(read_frames(tmp_path / "frames", [0, 5, 35]))
    np.testing.assert_array_equal(images[1], frame(5))
    with pytest.raises(InputError, match=r"frames' with 8 frames lacks frame 36 .* but frames up to 36 are needed"):
        list(read_frames(tmp_path / "frames", [0, 36]))


def test_wrong_folders_are_named(tmp_path):
    write_frames(tmp_path)
    image = tmp_path / "frames" / "town2_0003.png"
    image.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"file '.*town2_0003.png' .* is not a valid JPEG"):
        list(read_frames(tmp_path / "frames", [3]))
    image.with_name("3.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"has frame 3 twice: '3.jpg', 'town2_0003.png'"):
        list(read_frames(tmp_path / "frames", [3]))
    image.with_name("3.jpg").rename(image.with_name("cover.jpg"))
    with pytest.raises(InputError, match=r"must be named with their number. Received: 'cover.jpg'"):
        list(read_frames(tmp_path / "frames", [3]))


def test_wrong_videos_are_named(tmp_path):
    write_video(tmp_path, frames=10)
    video = tmp_path / "TownCentreXVID.avi"
    frames = read_frames(video, [8, 12])
    assert next(frames).shape == (96, 128, 3)
    with pytest.raises(InputError, match=r"ends after 10 frames, but frames up to 12 \(counted from 0\) are needed"):
        next(frames)
    video.write_text("<!DOCTYPE html>")
    with pytest.raises(InputError, match=r"TownCentreXVID.avi' cannot be read as a video"):
        next(read_frames(video, [0]))
