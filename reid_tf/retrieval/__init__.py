"""Embeddings to ranks, and ranks to figures: NumPy on arrays."""

from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import RetrievalMetrics, evaluate
from reid_tf.retrieval.multi_query import pool_queries
from reid_tf.retrieval.per_query import write_per_query_csv
from reid_tf.retrieval.ranking import rank, rerank
from reid_tf.retrieval.reranking import Reranking

__all__ = [
    "Embeddings",
    "Reranking",
    "RetrievalMetrics",
    "evaluate",
    "pool_queries",
    "rank",
    "rerank",
    "write_per_query_csv",
]
