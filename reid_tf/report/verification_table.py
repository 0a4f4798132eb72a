"""Tables of a verification: the figures as text, thresholds over false-accept rates as a CSV file."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from reid_tf.files import written_beside
from reid_tf.report.table import markdown_table
from reid_tf.retrieval.verification_metrics import RATES, VerificationMetrics

COLUMNS = ("compared", "false_accept_rate", "threshold", "true_accept_rate")


def verification_table(metrics: Mapping[str, VerificationMetrics]) -> str:
    """Writes equal error rate, area under the curve and true-accept rates as a Markdown table, in percent.

    Args:
        metrics: mapping from what is compared ("cosine distance") to its
            `VerificationMetrics`.

    Returns:
        str of several lines, without a line break at its end; "too few pairs" where
        impostor pairs do not resolve a false-accept rate.
    """
    lines = [
        ["%", "equal error rate", "area under ROC", *(f"true accepts at {100 * rate:g} % false" for rate in RATES)]
    ]
    for name, result in metrics.items():
        cells = [f"{100 * float(result.true_accepts(rate)):.2f}" for rate in RATES if result.resolves(rate)]
        cells += ["too few pairs"] * (len(RATES) - len(cells))
        lines.append(
            [name, f"{100 * result.equal_error_rate:.2f}", f"{100 * result.area_under_curve:.2f}", *cells],
        )
    return markdown_table(lines)


def write_verification_csv(path: str | Path, metrics: Mapping[str, VerificationMetrics]) -> None:
    """Writes what else could have been chosen: threshold and true-accept rate at false-accept rates 0.5, 0.2, 0.1 ...

    Rates go down as far as the pairs resolve them. The columns are compared,
    false_accept_rate, threshold (empty where no threshold is strict enough) and
    true_accept_rate.

    Args:
        path: str or Path. The file; it is complete or absent at this name.
        metrics: mapping from what is compared to its `VerificationMetrics`.
    """
    rates = [digit / 10**power for power in range(1, 8) for digit in (5, 2, 1)]
    with written_beside(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, result in metrics.items():
            for rate in filter(result.resolves, rates):
                threshold = result.threshold(rate)
                cell = f"{threshold:.9g}" if math.isfinite(threshold) else ""
                writer.writerow((name, f"{rate:g}", cell, f"{float(result.true_accepts(rate)):.6f}"))
