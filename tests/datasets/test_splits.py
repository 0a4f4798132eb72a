from collections import defaultdict

import numpy as np
import pytest

from reid_tf.datasets import splits
from reid_tf.datasets.record import class_of_identity
from reid_tf.errors import InputError
from reid_tf.registry import VALIDATIONS
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.metrics import evaluate
from tests.datasets.made_datasets import dataset_of

# 20 identities under two cameras, three images each camera, and 5 under one camera.
ROWS = [(identity, camera) for identity in range(20) for camera in (1, 2) for _ in range(3)]
ROWS += [(identity, 1) for identity in range(100, 105) for _ in range(4)]


@pytest.fixture
def dataset():
    order = np.random.default_rng(0).permutation(len(ROWS))
    return dataset_of([ROWS[index] for index in order], [(500, 1)], [(500, 2)])


def test_identities_are_on_one_side_only(dataset):
    held = splits.held_out(dataset, share=0.25)
    train, query, gallery = ({record.identity for record in part} for part in (held.train, held.query, held.gallery))
    assert not train & query
    assert query == gallery
    assert len(query) == 5  # of the 20 that two cameras see
    assert max(query) < 20
    assert set(class_of_identity(dataset.train)) == train | query


def test_no_image_is_lost_or_added(dataset):
    held = splits.held_out(dataset, share=0.25)
    parts = [record.path for part in (held.train, held.query, held.gallery) for record in part]
    assert sorted(parts) == sorted(record.path for record in dataset.train)


def test_the_query_is_the_first_image_of_each_camera(dataset):
    held = splits.held_out(dataset, share=0.25)
    first = defaultdict(list)
    for record in dataset.train:
        first[record.identity, record.camera].append(record.path)
    assert len(held.query) == 10
    for record in held.query:
        assert record.path == first[record.identity, record.camera][0]


def test_the_seed_chooses_and_repeats(dataset):
    def chosen(seed):
        return {record.identity for record in splits.held_out(dataset, share=0.25, seed=seed).query}

    assert chosen(0) == chosen(0)
    assert len({frozenset(chosen(seed)) for seed in range(5)}) > 1


def test_the_share_counts_the_identities_that_can_be_held_out(dataset):
    for share in (0.05, 0.1, 0.5, 0.95):
        held = splits.held_out(dataset, share=share)
        assert len({record.identity for record in held.query}) == round(share * 20)


def test_with_one_camera_two_images_are_enough():
    held = splits.held_out(dataset_of([(1, 1), (1, 1), (2, 1), (3, 1), (3, 1), (4, 1), (4, 1)]), share=0.4)
    assert {record.identity for record in held.query} <= {1, 3, 4}
    assert len(held.query) == len(held.gallery) == 1


def test_one_image_a_camera_still_leaves_something_to_find():
    held = splits.held_out(dataset_of([(identity, camera) for identity in range(4) for camera in (1, 2, 3)]), share=0.5)
    assert [record.camera for record in held.query] == [1, 2, 1, 2]
    assert [record.camera for record in held.gallery] == [3, 3]


def test_the_rest_of_the_data_set_stays(dataset):
    held = splits.held_out(dataset, share=0.25)
    assert (held.name, held.attribute_schema, held.multi_query) == ("made", None, ())


@pytest.mark.parametrize(
    ("rows", "share", "message"),
    [
        (ROWS, 0.0, r"share must be between 0 and 1, both excluded. Received: share=0.0"),
        (ROWS, 1.0, "Received: share=1.0"),
        (ROWS, 0.01, r"0 of 25 training identities would be held out \(20 can be\). Received: share=0.01"),
        ([(1, 1), (1, 2)], 0.9, r"1 of 1 training identities would be held out"),
        ([(1, 1), (2, 2)], 0.5, r"0 of 2 training identities would be held out \(0 can be\)"),
        ([], 0.5, "0 of 0 training identities"),
    ],
)
def test_a_share_that_leaves_nothing_is_refused(rows, share, message):
    with pytest.raises(InputError, match=message):
        splits.held_out(dataset_of(rows), share=share)


def counts(**images):
    """A data set with a number of images for each identity, in the order given."""
    return dataset_of([(int(name[1:]), 1) for name, number in images.items() for _ in range(number)])


@pytest.mark.parametrize(
    ("share", "trained"),
    [
        (0.1, {1}),  # 2 of 20 images: exactly the first identity
        (0.11, {1, 3}),
        (0.5, {1, 3, 4}),  # 10 of 20, reached within the third
        (0.6, {1, 3, 4}),  # 12 of 20
        (0.61, {1, 3, 4, 8}),
        (0.7, {1, 3, 4, 8}),
    ],
)
def test_identities_in_order_until_the_share_of_the_images(share, trained):
    dataset = counts(i8=3, i1=2, i9=5, i4=4, i3=6)
    held = splits.by_order(dataset, share=share)
    assert {record.identity for record in held.train} == trained
    assert {record.identity for record in held.gallery} == {1, 3, 4, 8, 9} - trained
    assert held.train == tuple(record for record in dataset.train if record.identity in trained)  # in their order


def test_no_rounding_adds_an_identity():
    # 0.1 * 30 is 3.0000000000000004 in floating point; three images are a tenth of thirty all the same.
    held = splits.by_order(counts(i1=3, i2=27), share=0.1)
    assert {record.identity for record in held.train} == {1}


def test_queries_are_random_gallery_images(dataset):
    held = splits.by_order(dataset, queries=7)
    assert len(held.query) == 7
    assert len({record.path for record in held.query} & {record.path for record in held.gallery}) == 7
    positions = [held.gallery.index(record) for record in held.query]
    assert positions == sorted(positions)
    assert held == splits.by_order(dataset, queries=7)
    assert len({splits.by_order(dataset, queries=7, seed=seed).query for seed in range(4)}) > 1
    everything = splits.by_order(dataset)  # 100 queries, and there are fewer images
    assert everything.query == everything.gallery
    assert len(everything.train) + len(everything.gallery) == len(dataset.train)
    assert everything.multi_query == ()


@pytest.mark.parametrize("protocol", ["single_camera", "market1501"])
def test_a_query_does_not_find_itself(protocol):
    """Each image lies beside one of the other person, so only finding itself could give a rank-1 above 0."""
    dataset = dataset_of([(1, 1)] * 10 + [(2, 1), (2, 2), (3, 1), (3, 2)])
    held = splits.by_order(dataset, queries=4)
    place = {record.path: value for record, value in zip(held.gallery, [0.0, 9.0, 0.1, 9.1], strict=True)}
    query, gallery = (
        Embeddings(
            np.array([[place[record.path]] for record in records], np.float32),
            np.array([record.identity for record in records]),
            np.array([record.camera for record in records]),
            tuple(record.path for record in records),
        )
        for records in (held.query, held.gallery)
    )
    metrics = evaluate(query, gallery, distance="euclidean", protocol=protocol)
    assert (metrics.cmc[0], metrics.num_valid_queries) == (0, 4)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        ({"i1": 2, "i2": 2}, {"share": 1.0}, "share must be between 0 and 1, both excluded. Received: share=1.0"),
        ({"i1": 2, "i2": 2}, {"queries": 0}, "queries must be at least 1. Received: queries=0"),
        ({"i1": 2, "i2": 9}, {}, r"the first 2 of 2 training identities would train. Received: share=0.7"),
        ({}, {}, "the first 0 of 0 training identities would train"),
    ],
)
def test_an_order_that_validates_nobody_is_refused(images, options, message):
    with pytest.raises(InputError, match=message):
        splits.by_order(counts(**images), **options)


def test_the_test_splits_are_themselves(dataset):
    assert VALIDATIONS.build({"name": "test"}, dataset=dataset) is dataset
    assert VALIDATIONS.names() == ("by_order", "held_out", "test")
