import sys

import cv2
import numpy as np
import pytest
import yaml

from reid_tf.commands import preview
from reid_tf.errors import InputError


def experiment(root) -> dict:
    """The smallest experiment on twelve images of four persons in a CSV, with two more images for testing."""
    lines = ["path,identity,camera,split", "12.png,eve,1,query", "13.png,eve,2,gallery"]
    for index in range(14):
        image = np.full((32, 16, 3), (18 * index, 255 - 18 * index, 5), np.uint8)
        cv2.imwrite(str(root / f"{index}.png"), image)
    for index in range(12):
        lines.append(f"{index}.png,{('anna', 'ben', 'cleo', 'dan')[index // 3]},{1 + index % 2},train")
    (root / "records.csv").write_text("\n".join(lines) + "\n")
    return {
        "dataset": {"name": "csv_table", "root": str(root)},
        "image_size": [32, 16],
        "augment": [{"name": "flip"}],
        "batches": {"name": "pairs", "batch_size": 6},
        "backbone": {"name": "tiny", "width": 4},
        "model": {"name": "multitask", "embedding_dim": 8},
        "optimizer": {"name": "sgd", "learning_rate": 0.1},
        "schedule": {"name": "step", "boundaries": [1]},
        "epochs": 1,
    }


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(experiment(tmp_path)))
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    def run_preview(*arguments):
        monkeypatch.setattr(sys, "argv", ["preview.py", *map(str, arguments)])
        preview.main()
        return capsys.readouterr().out

    return run_preview


def arguments_of(monkeypatch, *arguments):
    """What `main` hands to `batch` and `samples`."""
    seen, image = [], np.zeros((4, 2, 3), np.uint8)
    monkeypatch.setattr(preview, "batch", lambda given: seen.append(given) or ([image], [""], [image]))
    monkeypatch.setattr(preview, "samples", lambda given: seen.append(given) or ([image], [""]))
    monkeypatch.setattr(sys, "argv", ["preview.py", *map(str, arguments)])
    preview.main()
    return seen[0]


@pytest.mark.parametrize("what", ["batch", "samples"])
def test_a_picture_is_written(run, config, what):
    out = config.parent / "pictures" / "preview.png"
    assert f"into {out}" in run("--config", config, "--what", what, "--out", out, "--images", 8)
    assert cv2.imread(str(out)).shape[1] > 8 * 128


def test_a_batch_shows_its_pairs_side_by_side(monkeypatch, config, tmp_path):
    arguments = arguments_of(monkeypatch, "--config", config, "--what", "batch", "--out", tmp_path / "a.png")
    monkeypatch.undo()
    images, captions, originals = preview.batch(arguments)
    assert len(images) == len(captions) == len(originals) == 12
    people = {tuple(image[0, 0]): caption.split("\n")[:2] for image, caption in zip(images, captions, strict=True)}
    for (red, _, blue), (name, camera) in people.items():
        index = blue // 18
        assert red == 5
        assert name == ("anna", "ben", "cleo", "dan")[index // 3]
        assert camera == f"camera {1 + index % 2}"
    for first, second in zip(captions[::2], captions[1::2], strict=True):
        assert first.endswith("same >" if first.split("\n")[0] == second.split("\n")[0] else "different >")


def test_a_batch_of_single_images(monkeypatch, config, tmp_path):
    override = "--set", "batches.name=images", "--set", "batches.batch_size=5", "--set", "model.name=baseline"
    arguments = arguments_of(monkeypatch, "--config", config, "--what", "batch", "--out", tmp_path / "a.png", *override)
    monkeypatch.undo()
    images, captions, originals = preview.batch(arguments)
    assert len(images) == len(captions) == len(originals) in (4, 5)
    assert all(caption.count("\n") == 1 for caption in captions)


def test_originals_are_the_images_without_augmentation(monkeypatch, config, tmp_path):
    erased = "augment=[{name: random_erasing, probability: 1.0}]"
    common = "--config", config, "--what", "batch", "--out", tmp_path / "a.png", "--images", 7
    batches = {}
    for name, override in (("erased", erased), ("plain", "augment=[]")):
        arguments = arguments_of(monkeypatch, *common, override)
        monkeypatch.undo()
        batches[name] = preview.batch(arguments)
    images, _, originals = batches["erased"]
    np.testing.assert_array_equal(originals, batches["plain"][0])
    np.testing.assert_array_equal(originals, batches["plain"][2])
    for image, original in zip(images, originals, strict=True):
        changed = (image != original).any(axis=-1)
        assert 0 < changed.mean() < 0.6
    assert len(originals) == 7


def test_samples_are_images_of_the_split_with_their_captions(monkeypatch, config, tmp_path):
    common = "--what", "samples", "--out", tmp_path / "a.png", "--images", 5
    drawn = []
    for more in (
        ("--config", config),
        ("--dataset", "csv_table", "--data", tmp_path),
        ("--config", config, "--seed", 1),
    ):
        arguments = arguments_of(monkeypatch, *common, *more)
        monkeypatch.undo()
        images, captions = preview.samples(arguments)
        assert [image.shape for image in images] == [(32, 16, 3)] * 5
        drawn.append(captions)
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--what", "batch"], "Name an experiment"),
        (
            ["--what", "samples", "--config", "CONFIG", "--split", "other"],
            "'other' of 'csv_table' holds no images; .* train 12, query 1",
        ),
        (["--what", "samples", "--config", "CONFIG", "--images", "0"], "at least 1. Received: 0"),
        (["--what", "samples", "--config", "CONFIG", "--out", "a.jpg"], r"\.png"),
    ],
)
def test_what_cannot_be_drawn_is_refused(run, config, arguments, message):
    arguments = [str(config) if argument == "CONFIG" else argument for argument in arguments]
    with pytest.raises(InputError, match=message):
        run("--out", config.parent / "a.png", *arguments)
    assert not (config.parent / "a.png").exists()
