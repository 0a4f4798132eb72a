"""ShareNet on a video: from moving rectangles to ranked lists under one camera, with attributes and without."""

import logging

import pytest

from reid_tf.config import parse_config
from reid_tf.datasets.attributes.annotation_csv import write_annotations
from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
from reid_tf.training.train import train
from tests.datasets.made_video import WALKERS, write_boxes, write_video

pytestmark = pytest.mark.slow


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "town"
    folder.mkdir()
    write_video(folder)
    write_boxes(folder)
    return folder


def recipe(root):
    return parse_config(
        {
            "dataset": {"name": "town_centre", "root": str(root), "min_height": 12, "min_width": 8, "every": 2},
            "image_size": [32, 16],
            "batches": {"name": "identities", "identities_per_batch": 2, "images_per_identity": 4},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "sharenet", "embedding_dim": 8, "reduction": "mean"},
            "optimizer": {"name": "adam", "learning_rate": 0.001},
            "schedule": {"name": "step"},
            "epochs": 1,
            "evaluation": {"protocol": "single_camera", "ranked_lists": 2},
        }
    )


def test_with_attributes_from_a_csv(root, tmp_path):
    adult = [min(2, len(group.classes) - 1) for group in MARKET1501_SCHEMA.groups]
    write_annotations(root / "attributes.csv", {f"{track:04d}": adult for track in WALKERS})
    result = train(recipe(root), tmp_path / "run")
    metrics = result.metrics["trained_encoder"]
    assert metrics["valid_queries"] > 10
    assert metrics["skipped_queries"] == 0  # under the protocol of several cameras all of them would be
    assert "attributes_loss" in result.history[0]
    assert result.attributes.images > 0


def test_without_them_it_is_the_triplet_network_and_says_so(root, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        result = train(recipe(root), tmp_path / "run")
    assert "without them ShareNet is the triplet network" in caplog.text
    assert "attributes_loss" not in result.history[0]
    assert result.attributes is None
