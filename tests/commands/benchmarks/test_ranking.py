import numpy as np
import pytest

from reid_tf.commands.benchmarks.dense_reranking import dense_reranking, torchreid_reranking
from reid_tf.commands.benchmarks.ranking import Row, measure, rows
from reid_tf.retrieval.reranking import Reranking
from tests.retrieval.test_reranking import crowd, whole


def test_the_peer_of_whole_matrices_computes_the_same():
    query, gallery = crowd(1, queries=30, gallery=100)
    ours = whole(query, gallery, Reranking(count_itself=True))
    np.testing.assert_allclose(dense_reranking(query, gallery), ours, atol=1e-5)


def test_torchreids_function_computes_the_same():
    query, gallery = crowd(1, queries=30, gallery=100)
    try:
        theirs = torchreid_reranking(query, gallery)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    np.testing.assert_allclose(theirs, whole(query, gallery, Reranking(count_itself=True)), atol=1e-5)


@pytest.mark.parametrize("row", [row for row in rows(0) if row.name != "torchreid"], ids=lambda row: row.name)
def test_every_row_is_measured(row):
    line = measure(Row(row.name, row.work, 40, 60, 8, row.all_with_all, row.once), repeats=2)
    assert line.startswith(f"| {row.name} | 40, 60, 8 | ")
    assert line.count("|") == 7


def test_distractors_add_rows():
    assert {row.gallery for row in rows(1000)} - {row.gallery for row in rows(0)} == {16913}
