"""Counts, wherever a public function takes one: whole numbers of at least 1, and a sentence for everything else."""

from typing import Any

import numpy as np
import pytest

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed, embed_colour_histogram
from reid_tf.encoder.images import PlainBatches
from reid_tf.errors import InputError
from reid_tf.options import convert, whole_number
from reid_tf.pipeline.build import evaluation_batches
from reid_tf.report.image_grid import image_grid
from reid_tf.report.ranked_list import draw_ranked_lists
from reid_tf.report.search_picture import draw_search
from reid_tf.retrieval import Embeddings, evaluate, rank
from reid_tf.retrieval.single_shot import single_shot_ranks
from reid_tf.retrieval.verification_pairs import verification_pairs
from reid_tf.serving.client import Client
from reid_tf.serving.parity import whole_identities
from reid_tf.serving.rest import RestModel
from tests.made_exports import attribute_encoder

EMBEDDINGS = Embeddings(np.eye(3), [1, 1, 2], [1, 2, 3], ("a", "b", "c"))
RECORDS = [Record("a.png", 0, 0)]
IMAGE = np.zeros((8, 4, 3), np.uint8)
FUNCTIONS = {
    "batch_size of an encoder": lambda count: attribute_encoder()([IMAGE] * 3, batch_size=count),
    "batch_size of embed": lambda count: embed(attribute_encoder(), RECORDS, batch_size=count),
    "batch_size of colours": lambda count: embed_colour_histogram(RECORDS, (8, 4), batch_size=count),
    "batch_size of a data set": lambda count: evaluation_batches(RECORDS, (8, 4), batch_size=count),
    "batch_size without TensorFlow": lambda count: PlainBatches(RECORDS, {"image": "image"}, (8, 4), count, False),
    "batch_size of a client": lambda count: Client(batch_size=count),
    "retries of a client": lambda count: RestModel("http://a", "b", None, 1.0, count),
    "k of rank": lambda count: rank(EMBEDDINGS, EMBEDDINGS, count),
    "max_rank of evaluate": lambda count: evaluate(EMBEDDINGS, EMBEDDINGS, max_rank=count),
    "draws of single shots": lambda count: single_shot_ranks(EMBEDDINGS, EMBEDDINGS, draws=count),
    "most of pairs": lambda count: verification_pairs(EMBEDDINGS.identities, EMBEDDINGS.cameras, False, most=count),
    "rows of lists": lambda count: draw_ranked_lists(EMBEDDINGS, EMBEDDINGS, lambda path: IMAGE, rows=count),
    "k of a search": lambda count: draw_search(
        ["a"], np.zeros((1, 1), int), np.zeros((1, 1)), lambda path: IMAGE, k=count
    ),
    "columns of a grid": lambda count: image_grid([IMAGE], columns=count),
    "max_images of an export": lambda count: whole_identities(ReIDDataset("a", (), (), ()), count),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("count", [-1, 2.5, 1.0, "3", None, True, np.array([1, 2]), float("nan")], ids=repr)
def test_what_is_no_count_is_a_sentence(name, count):
    with pytest.raises(InputError, match=rf"{name.split()[0]} must be a whole number of at least .\. Received"):
        FUNCTIONS[name](count)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.startswith("retries")])
def test_no_count_is_zero(name):
    with pytest.raises(InputError, match=f"{name.split()[0]} must be a whole number of at least 1. Received: .*=0"):
        FUNCTIONS[name](0)


def test_counts_are_ints():
    assert [type(whole_number("a", value)) for value in (3, np.int64(3), np.uint8(3), np.array(3))] == [int] * 4
    assert whole_number("a", 0, least=0) == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, 2**32]}, r"It\['a'\]\[1\] is wrong: it must be at most 4294967295. Received: 4294967296\.$"),
        ({"a": [-(2**32)]}, r"It\['a'\]\[0\] is wrong: it must be at least -4294967295. Received: -4294967296\.$"),
        ({"a": [0.5], "b": [1e300]}, r"It\['b'\]\[0\] is wrong: it must be at most 3.4\d+e\+38. Received: 1e\+300\.$"),
    ],
)
def test_numbers_at_any_depth_are_of_32_bits(value, message):
    with pytest.raises(InputError, match=message):
        convert(value, dict[str, Any], "It")
    assert convert({"a": [2**32 - 1, 3e38]}, dict[str, Any], "It") == {"a": [2**32 - 1, 3e38]}
