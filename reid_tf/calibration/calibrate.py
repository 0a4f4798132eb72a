"""A finished run and images of people that it has not learnt from become a calibration."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from reid_tf.datasets.record import Record
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.encoder.verifier import measure_verification
from reid_tf.errors import InputError
from reid_tf.report.verification_curves import det_curve_picture, roc_curve_picture
from reid_tf.report.verification_table import write_verification_csv
from reid_tf.retrieval.calibration import CALIBRATION_FILE, Calibration, check_rate, fit_logistic
from reid_tf.retrieval.verification_metrics import VerificationMetrics, smallest_rate
from reid_tf.retrieval.verification_pairs import pair_distances, verification_pairs


@dataclasses.dataclass(frozen=True, eq=False)
class CalibrationResult:
    """What calibrating a run found.

    Args:
        calibration: `Calibration`.
        metrics: mapping from what was compared to its `VerificationMetrics`: the
            encoder's distance first and, where the run has a verifier, one minus its
            probability.
    """

    calibration: Calibration
    metrics: Mapping[str, VerificationMetrics]


def calibrate(
    encoder: Encoder,
    verifier: keras.Model | None,
    records: Sequence[Record],
    false_accept_rate: float = 1e-3,
    across_cameras: bool | None = None,
    verbose: int = 1,
) -> CalibrationResult:
    """Chooses the threshold on an encoder's distance that accepts at most a given share of pairs of two people.

    All pairs of images are formed, up to five million of each kind; beyond that a
    sample, the same each time. With as many it holds about 1 GB, with 3,000 images half
    of that.

    Args:
        encoder: `Encoder`. Its `distance` is calibrated.
        verifier: keras.Model as `System.verifier`, or None. Measured for comparison; it
            decides nothing.
        records: sequence of `Record`. Of people that the encoder has not learnt from.
        false_accept_rate: float in (0, 1). One in a thousand: compared with a hundred
            strangers, somebody is taken for one of them in one case in ten.
        across_cameras: bool or None. Whether pairs are formed across cameras only, as a
            tracker compares; None where the records are from several.
        verbose: int. 1 shows progress, 0 nothing.

    Returns:
        `CalibrationResult`.

    Raises:
        InputError: the rate is outside (0, 1), there are no pairs or too few for it, no
            threshold keeps to it, pairs of one person are not nearer than others, or an
            image cannot be read.
    """
    check_rate(false_accept_rate)
    identities, cameras = (np.array([getattr(record, name) for record in records]) for name in ("identity", "camera"))
    if across_cameras is None:
        across_cameras = len(np.unique(cameras)) > 1
    pairs = verification_pairs(identities, cameras, across_cameras)
    _check_resolved(false_accept_rate, int(np.count_nonzero(~pairs.genuine)))
    vectors = embed(encoder, records, verbose=verbose).vectors
    distances = pair_distances(vectors, pairs, encoder.distance)
    metrics = measure_verification(vectors, pairs, encoder.distance, distances, verifier, verbose)
    figures = {
        "images": len(records),
        "identities": len(np.unique(identities)),
        "pairs": "across_cameras" if across_cameras else "any",
        **_figures(metrics, false_accept_rate),
    }
    threshold = _threshold(next(iter(metrics.values())), false_accept_rate)
    slope, intercept = fit_logistic(distances[pairs.genuine], distances[~pairs.genuine])
    if slope <= 0:
        raise InputError(
            "The distance does not tell people apart: pairs of one person are not nearer than pairs of two. "
            f"Received: a slope of {slope:.3g} over {len(distances)} pairs."
        )
    calibration = Calibration(
        encoder.distance,
        threshold,
        false_accept_rate,
        slope,
        intercept,
        figures,
        encoder.fingerprint,
    )
    return CalibrationResult(calibration, metrics)


def write_calibration(run: str | Path, result: CalibrationResult) -> None:
    """Writes `report/roc.png`, `report/det.png`, `report/calibration.csv` and `calibration.json` into a run directory.

    Those of an earlier calibration are replaced.

    Args:
        run: str or Path. The run directory.
        result: `CalibrationResult`.
    """
    run, rate = Path(run), result.calibration.false_accept_rate
    roc_curve_picture(run / "report" / "roc.png", result.metrics, rate)
    det_curve_picture(run / "report" / "det.png", result.metrics, rate)
    write_verification_csv(run / "report" / "calibration.csv", result.metrics)
    result.calibration.save(run / CALIBRATION_FILE)


def _check_resolved(rate: float, impostor_pairs: int) -> None:
    smallest = smallest_rate(impostor_pairs)
    if rate < smallest:
        raise InputError(
            f"At so small a false-accept rate fewer than ten of the {impostor_pairs:,} impostor pairs are accepted, "
            f"too few to measure it: take a rate of at least {_round_up(smallest):g}, or more images. Received: "
            f"false_accept_rate={rate:g}."
        )


def _round_up(rate: float) -> float:
    """The next larger number of two digits."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 1)
    return math.ceil(rate / unit) * unit


def _threshold(metrics: VerificationMetrics, rate: float) -> float:
    threshold = metrics.threshold(rate)
    if not math.isfinite(threshold):
        raise InputError(
            f"No threshold is strict enough: more than {rate:g} of the {metrics.impostor_pairs:,} impostor pairs are "
            f"at the smallest distance that occurs, {metrics.thresholds[1]:g}."
        )
    return threshold


def _figures(metrics: Mapping[str, VerificationMetrics], rate: float) -> dict[str, Any]:
    first = next(iter(metrics.values()))
    compared = {}
    for name, result in metrics.items():
        threshold = result.threshold(rate)
        compared[name] = {
            "threshold": threshold if math.isfinite(threshold) else None,
            "true_accept_rate": float(result.true_accepts(rate)),
            **result.to_dict(),
        }
    return {
        "genuine_pairs": first.genuine_pairs,
        "impostor_pairs": first.impostor_pairs,
        "smallest_false_accept_rate": first.smallest_rate,
        "compared": compared,
    }
