"""How a trained system is judged: by retrieval or, for a pose estimator, by the landmarks that it finds."""

import logging
import math
from typing import Any, Protocol

import keras
import numpy as np

from reid_tf.backbones.folding import fold_normalization
from reid_tf.config import EvaluationConfig
from reid_tf.config import Protocol as RankingProtocol
from reid_tf.datasets.record import ReIDDataset
from reid_tf.encoder.embed import embed_colour_histogram
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.query_and_gallery import embed_query_and_gallery
from reid_tf.errors import InputError
from reid_tf.registry import VALIDATIONS
from reid_tf.report.judge import judge
from reid_tf.report.judgement import Figures, Judgement
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import evaluate
from reid_tf.retrieval.refinement import Refinement
from reid_tf.retrieval.reranking import Reranking
from reid_tf.training.experiment import Experiment
from reid_tf.training.landmark_evaluation import LandmarkEvaluation
from reid_tf.training.run_directory import RunDirectory
from reid_tf.training.validation import OutputValidation, Validation

logger = logging.getLogger(__name__)


class Evaluation(Protocol):
    """What training needs of a way to judge a system.

    `judged` says what is judged, `score` which logged value chooses the best epoch.
    """

    judged: str
    score: str

    def references(self) -> dict[str, Figures]:
        """Returns what the trained system has to beat, judged before training."""

    def validation(self) -> keras.callbacks.Callback:
        """Returns the callback that writes `score` into the logs every few epochs."""

    def judge(self, references: dict[str, Figures], run: RunDirectory) -> Judgement:
        """Judges the trained system on the test set and writes the report."""

    def describe(self) -> dict[str, Any]:
        """Returns what the manifest says of the saved model, enough to use it, as JSON values."""


def judged_images(options: EvaluationConfig, dataset: ReIDDataset) -> tuple[ReIDDataset | None, RankingProtocol]:
    """Says which images retrieval figures are given of, and by which protocol.

    They are the test set's, unless nobody says whom that shows, as in a challenge: then
    they are the validation split's, by the first of its protocols, and the log says so;
    where there is no validation split either, there are none.

    Args:
        options: `EvaluationConfig`.
        dataset: `ReIDDataset`. As loaded.

    Returns:
        `ReIDDataset` whose query and gallery are judged, or None; and the protocol.

    Raises:
        InputError: the validation split has images of which nobody says who they show.
    """
    if dataset.names_test_people:
        return dataset, options.protocol
    validated = VALIDATIONS.build(options.validation, dataset=dataset) if options.validation else None
    if validated is not None and not validated.names_test_people:
        raise InputError(
            f"The validation split must say who its images show, and the test set of {dataset.name!r} does not: take "
            f"by_order or held_out. Received: {options.validation!r}."
        )
    if validated is None:
        logger.warning("The test set of %r has no identities, so no retrieval figures are given.", dataset.name)
        return None, options.protocol
    logger.warning(
        "The test set of %r has no identities, so the figures are those of the validation split %s, which chooses the "
        "best epoch too.",
        dataset.name,
        options.validation,
    )
    return validated, (options.validation_protocols or (options.protocol,))[0]


class RetrievalEvaluation:
    """Judges an encoder by the ranks of the right images.

    Args:
        experiment: `Experiment` whose system has an encoder.

    Raises:
        InputError: the system has none, or as `judged_images()`.
    """

    judged, score = "encoder", "val_mAP"

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.encoder = experiment, experiment.encoder()
        self.images, self.protocol = judged_images(experiment.config.evaluation, experiment.dataset)

    def references(self) -> dict[str, Figures]:
        """Returns the figures of the encoder at its start and of colours alone, on the images that are judged."""
        options, dataset, encoder = self.experiment.config.evaluation, self.images, self._encoder_here()
        if dataset is None:
            return {}
        embedded = embed_query_and_gallery(encoder, dataset, options.batch_size, verbose=0)[:2]
        query, gallery = (
            embed_colour_histogram(records, encoder.image_size, options.batch_size)
            for records in (dataset.query, dataset.gallery)
        )
        start = "encoder_at_the_start" if self.experiment.config.begin_from else "untrained_encoder"
        return {
            start: evaluate(*embedded, encoder.distance, protocol=self.protocol).to_dict(),
            "colour_histogram": evaluate(query, gallery, protocol=self.protocol).to_dict(),
        }

    def validation(self) -> keras.callbacks.Callback:
        """Returns the callback that writes `val_mAP`, `val_rank1` and the like."""
        experiment = self.experiment
        outputs = OutputValidation(experiment.system, experiment.training, experiment.config)
        return Validation([self.rank_validation_images, outputs], experiment.config.evaluation.interval)

    def rank_validation_images(self) -> dict[str, float]:
        """Returns mAP and rank-1 on the validation images, and how well their attributes are told.

        With several protocols the first gives `val_mAP` and `val_rank1`, and the
        others' names end in the protocol's name. Of a data set of several sources, each
        is also ranked by itself, and those names end in the source's.
        """
        options = self.experiment.config.evaluation
        query, gallery, attributes = embed_query_and_gallery(
            self._encoder_here(), self.experiment.training, options.batch_size, verbose=0
        )
        values = {}
        for number, protocol in enumerate(options.validation_protocols or (options.protocol,)):
            metrics = evaluate(query, gallery, self.encoder.distance, protocol=protocol)
            ending = f"_{protocol}" if number else ""
            values[f"val_mAP{ending}"] = metrics.mean_average_precision
            values[f"val_rank1{ending}"] = float(metrics.cmc[0])
        values |= self._rank_sources(query, gallery, (options.validation_protocols or (options.protocol,))[0])
        balanced = math.nan if attributes is None else attributes.mean("balanced_accuracy")
        if math.isfinite(balanced):
            values["val_attributes_balanced_accuracy"] = balanced
        return values

    def _encoder_here(self) -> Encoder:
        """The encoder; of several workers a copy, as Keras would divide the images among them."""
        return self.encoder.folded() if self.experiment.workers else self.encoder

    def _rank_sources(self, query: Embeddings, gallery: Embeddings, protocol: RankingProtocol) -> dict[str, float]:
        values, dataset = {}, self.experiment.training
        for source in dataset.sources:
            cameras = [camera for camera, name in (dataset.camera_sources or {}).items() if name == source]
            searched, found = (part.select(np.isin(part.cameras, cameras)) for part in (query, gallery))
            if len(searched) and len(found):
                metrics = evaluate(searched, found, self.encoder.distance, protocol=protocol)
                values[f"val_mAP_{source}"] = metrics.mean_average_precision
                values[f"val_rank1_{source}"] = float(metrics.cmc[0])
        return values

    def judge(self, references: dict[str, Figures], run: RunDirectory) -> Judgement:
        """Ranks the images that are judged and writes pictures and tables; without any there are no figures."""
        options, verifier = self.experiment.config.evaluation, self.experiment.system.verifier
        if self.images is None:
            return Judgement({"valid_queries": 0, "skipped_queries": len(self.experiment.dataset.query)}, ())
        return judge(
            self.encoder.folded(),  # as `load_encoder` gives it
            self.images,
            run.report,
            verifier=verifier and fold_normalization(verifier),  # on several replicas each would see every pair
            protocol=self.protocol,
            refinement=Refinement(reranking=Reranking()) if options.rerank else None,
            references=references,
            batch_size=options.batch_size,
            ranked_lists=options.ranked_lists,
        )

    def describe(self) -> dict[str, Any]:
        """Returns the encoder's inputs, image size, distance and the like."""
        return {"encoder": self.encoder.describe()}


def make_evaluation(experiment: Experiment) -> Evaluation:
    """Returns the way to judge a system that it names in `System.evaluation`.

    Raises:
        InputError: the system lacks what is judged, or the data set does.
    """
    return (
        LandmarkEvaluation(experiment)
        if experiment.system.evaluation == "landmarks"
        else RetrievalEvaluation(experiment)
    )
