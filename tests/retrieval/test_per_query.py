import csv

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval import Embeddings, evaluate, write_per_query_csv

GALLERY = Embeddings([[1], [2], [3]], [1, 9, 1], [2, 2, 3])


def read(file):
    with file.open(newline="", encoding="utf-8") as stream:
        return [*csv.reader(stream)]


@pytest.mark.parametrize("paths", [("a, b.jpg", "ü.jpg"), ()])
def test_one_line_a_query(tmp_path, paths):
    query = Embeddings([[0], [0]], [1, 9], [1, 2], paths)
    write_per_query_csv(tmp_path / "per_query.csv", query, evaluate(query, GALLERY, "euclidean"))
    first, second = paths or ("", "")
    assert read(tmp_path / "per_query.csv") == [
        ["path", "identity", "camera", "status", "average_precision", "first_match_rank"],
        [first, "1", "1", "valid", f"{(1 + 2 / 3) / 2:.6f}", "1"],
        [second, "9", "2", "skipped", "", ""],
    ]


def test_drawn_ranks_are_means(tmp_path):
    gallery = Embeddings([[1], [2], [3]], [1, 9, 1], [2, 2, 2])  # ranks 1 and 2, as the near or the far one is drawn
    query = Embeddings([[0], [0]], [1, 9], [1, 2])
    metrics = evaluate(query, gallery, "euclidean", protocol="cuhk03_single_shot", draws=30)
    write_per_query_csv(tmp_path / "drawn.csv", query, metrics)
    _, first, second = read(tmp_path / "drawn.csv")
    far = np.mean(metrics.drawn_ranks[0] == 2)
    assert first[3] == "valid"
    assert [float(value) for value in first[4:]] == pytest.approx([1 - far / 2, 1 + far], abs=1e-6)
    assert second[3:] == ["skipped", "", ""]


def test_the_metrics_must_belong_to_the_queries(tmp_path):
    query = Embeddings([[0], [0]], [1, 9], [1, 2])
    metrics = evaluate(query, GALLERY, "euclidean")
    with pytest.raises(InputError, match="2 results for 1 queries"):
        write_per_query_csv(tmp_path / "x.csv", query.select(np.array([0])), metrics)
    assert not (tmp_path / "x.csv").exists()
