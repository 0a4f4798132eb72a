"""A training on several data sets: balanced batches, and a validation on each."""

import math

import numpy as np
import pytest

from reid_tf.config import parse_config
from reid_tf.encoder.embed import embed
from reid_tf.retrieval.metrics import evaluate
from reid_tf.training.evaluation import RetrievalEvaluation
from reid_tf.training.experiment import build_experiment


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    drawn = {"name": "synthetic", "root": str(tmp_path_factory.mktemp("cache")), "images_per_identity": 6}
    return build_experiment(
        parse_config(
            {
                "dataset": {
                    "name": "sources",
                    "sources": [{**drawn, "identities": 24}, {**drawn, "identities": 16, "seed": 1, "as": "others"}],
                },
                "image_size": [32, 16],
                "batches": {"name": "identities", "identities_per_batch": 4, "balance_sources": True},
                "backbone": {"name": "tiny", "width": 4},
                "model": {"name": "triplet", "embedding_dim": 8, "identity": True},
                "optimizer": {"name": "adam", "learning_rate": 0.01},
                "schedule": {"name": "constant"},
                "epochs": 1,
                "evaluation": {"validation": {"name": "held_out", "share": 0.4}, "every": 1, "batch_size": 32},
            }
        )
    )


def test_batches_are_balanced_and_an_identity_has_one_class(experiment):
    records = experiment.training.train
    for batch in experiment.sampler.epoch(0):
        sources = [experiment.training.source_of(records[index]) for index in batch]
        assert sources.count("synthetic") == sources.count("others")
    assert experiment.system.model.output["identity"].shape[-1] == len({record.identity for record in records})
    inputs, targets = next(iter(experiment.batches()))
    assert np.isfinite(inputs["image"]).all()
    assert len(np.unique(targets["identity"])) == 4


def test_each_source_is_ranked_by_itself_too(experiment):
    evaluation = RetrievalEvaluation(experiment)
    values = evaluation.rank_validation_images()
    assert {"val_mAP", "val_mAP_synthetic", "val_mAP_others", "val_rank1_synthetic", "val_rank1_others"} <= set(values)
    assert all(math.isfinite(value) for value in values.values())
    dataset, encoder = experiment.training, evaluation.encoder
    query, gallery = (
        embed(encoder, [record for record in split if dataset.source_of(record) == "others"], 32, 0)
        for split in (dataset.query, dataset.gallery)
    )
    alone = evaluate(query, gallery, encoder.distance)
    assert values["val_mAP_others"] == pytest.approx(alone.mean_average_precision)
    assert values["val_mAP_others"] > values["val_mAP"] or values["val_mAP_synthetic"] > values["val_mAP"]
