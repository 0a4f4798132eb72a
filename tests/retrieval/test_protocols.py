import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.pairs import same_identity_pairs
from reid_tf.retrieval.protocols import ignored_pairs

GALLERY = Embeddings(np.ones((5, 2)), [1, 1, 1, 2, 1], [1, 2, 1, 1, 3], ("a", "b", "c", "d", "a"))
QUERY = Embeddings(np.ones((2, 2)), [1, 2], [1, 2], ("a", "x"))


def ignored_entries(query, gallery, protocol):
    pairs = same_identity_pairs(query, gallery)
    ignored = ignored_pairs(query, gallery, pairs, protocol)
    return [pairs.entries[ignored & (pairs.queries == index)].tolist() for index in range(len(query))]


def test_market1501_ignores_the_identity_in_its_own_camera():
    assert ignored_entries(QUERY, GALLERY, "market1501") == [[0, 2], []]


def test_single_camera_ignores_the_image_itself():
    assert ignored_entries(QUERY, GALLERY, "single_camera") == [[0, 4], []]


def test_single_camera_knows_an_image_by_its_index_where_query_is_gallery():
    without_paths = Embeddings(GALLERY.vectors, GALLERY.identities, GALLERY.cameras)
    assert ignored_entries(without_paths, without_paths, "single_camera") == [[0], [1], [2], [3], [4]]


def test_single_camera_needs_paths():
    without_paths = Embeddings(GALLERY.vectors, GALLERY.identities, GALLERY.cameras)
    with pytest.raises(InputError, match=r"by its path.*Received: 2 query paths, 0 gallery paths"):
        ignored_entries(QUERY, without_paths, "single_camera")


def test_single_camera_refuses_an_image_with_two_identities():
    other = Embeddings(np.ones((1, 2)), [2], [1], ("b",))
    with pytest.raises(InputError, match="'b' with identity 2 as a query and 1 in the gallery"):
        ignored_entries(other, GALLERY, "single_camera")


def test_a_single_shot_is_drawn_from_what_other_cameras_saw():
    assert ignored_entries(QUERY, GALLERY, "cuhk03_single_shot") == [[0, 2], []]


def test_an_unknown_protocol_names_the_known_ones():
    with pytest.raises(InputError, match=r"'market'.*Allowed: cuhk03_single_shot, market1501, single_camera"):
        ignored_entries(QUERY, GALLERY, "market")
