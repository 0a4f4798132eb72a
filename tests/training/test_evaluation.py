"""How a run is judged whose test images have no identities; the usual way is in test_end_to_end.py."""

import dataclasses
import json
import logging

import pytest

from reid_tf.config import parse_config
from reid_tf.datasets.load import load_dataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.load import load_encoder
from reid_tf.errors import InputError
from reid_tf.registry import VALIDATIONS
from reid_tf.retrieval.metrics import evaluate
from reid_tf.training.evaluation import judged_images
from reid_tf.training.train import train
from tests.datasets.made_challenge import write_challenge
from tests.datasets.made_datasets import dataset_of

BY_ORDER = {"name": "by_order", "share": 0.5, "queries": 5}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_challenge(tmp_path_factory.mktemp("data") / "challenge")


def recipe(root, **evaluation):
    return parse_config(
        {
            "dataset": {"name": "attribute_challenge", "root": str(root)},
            "image_size": [32, 16],
            "batches": {"name": "images", "batch_size": 8},
            "backbone": {"name": "tiny", "width": 4},
            "model": {"name": "attribute", "feature_dim": 8},
            "optimizer": {"name": "adam", "learning_rate": 0.001},
            "schedule": {"name": "step"},
            "epochs": 1,
            "evaluation": {"ranked_lists": 2, **evaluation},
        }
    )


@pytest.fixture(scope="module")
def validated(root, tmp_path_factory):
    config = recipe(root, validation=BY_ORDER, validation_protocols=["single_camera", "market1501"], every=1)
    return train(config, tmp_path_factory.mktemp("runs") / "a")


@pytest.mark.slow
def test_without_test_identities_the_validation_split_is_judged(root, validated):
    dataset = load_dataset("attribute_challenge", str(root))
    held = VALIDATIONS.build(BY_ORDER, dataset=dataset)
    encoder = load_encoder(validated.run_directory)
    query, gallery = (embed(encoder, records, verbose=0) for records in (held.query, held.gallery))
    figures = evaluate(query, gallery, "mean_squared", protocol="single_camera").to_dict()
    metrics = json.loads((validated.run_directory / "metrics.json").read_text())
    assert metrics["mAP"] == pytest.approx(figures["mAP"], abs=1e-6)
    assert metrics["valid_queries"] == 5
    assert metrics["mAP"] == pytest.approx(validated.history[0]["val_mAP"], abs=1e-4)
    assert set(metrics["references"]) == {"untrained_encoder", "colour_histogram"}
    assert validated.attributes.images == len(held.gallery)  # which has the queries too
    assert (validated.run_directory / "report" / "ranked_lists.png").exists()
    assert len(validated.tables) == 3  # retrieval, pairs, attributes


def test_the_log_says_so_in_one_sentence(root, caplog):
    options = recipe(root, validation=BY_ORDER).evaluation
    with caplog.at_level(logging.WARNING):
        images, protocol = judged_images(options, load_dataset("attribute_challenge", str(root)))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "The test set of 'attribute_challenge' has no identities, so the figures are those of the validation split"
    )
    assert (len(images.query), protocol) == (5, "market1501")


@pytest.mark.slow
def test_without_a_validation_split_there_are_no_figures_and_the_run_is_whole(root, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        result = train(recipe(root), tmp_path / "run")
    assert "'attribute_challenge' has no identities, so no retrieval figures are given." in caplog.text
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {
        "valid_queries": 0,
        "skipped_queries": 2,
        "references": {},
    }
    assert (tmp_path / "run" / "encoder.keras").exists()
    assert (result.tables, result.attributes) == ((), None)


def test_a_test_set_with_identities_is_judged_itself():
    dataset = dataset_of([(1, 1)], [(5, 1)], [(5, 2), (0, 1)])
    options = parse_config(recipe("nowhere").to_dict()).evaluation
    assert judged_images(options, dataset) == (dataset, "market1501")


def test_validation_on_images_without_identities_is_refused(root, tmp_path):
    config = recipe(root, validation={"name": "test"})
    with pytest.raises(InputError, match=r"take by_order or held_out. Received: \{'name': 'test'\}"):
        train(config, tmp_path / "run")
    assert not list(tmp_path.iterdir())
    one_unnamed = dataset_of([(1, 1)], [(5, 1)], [(5, 2), (-1, 1)])
    assert not one_unnamed.names_test_people
    assert judged_images(dataclasses.replace(config.evaluation, validation=None), one_unnamed)[0] is None
