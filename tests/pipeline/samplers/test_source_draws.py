"""Batches balanced over data sets of different sizes."""

from collections import Counter

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.registry import SAMPLERS

# 40 people of one data set with 6 images each, 8 of another with 3.
IDENTITIES = np.concatenate([np.repeat(np.arange(40), 6), np.repeat(np.arange(40, 48), 3)])
SOURCES = np.array(["large"] * 240 + ["small"] * 24)


def build(name="identities", replicas=1, sources=SOURCES, **options):
    component = {"name": name, "identities_per_batch": 8, "images_per_identity": 3, "balance_sources": True, **options}
    if name == "identity_pairs":
        component["images_per_identity"] = 4
    return SAMPLERS.build(component, identities=IDENTITIES, sources=sources, epochs=3, seed=1, replicas=replicas)


def test_every_batch_has_as_many_people_of_each_source():
    for batch in build().epoch(0):
        assert Counter(SOURCES[batch]) == {"large": 12, "small": 12}
        assert set(Counter(IDENTITIES[batch]).values()) == {3}, "nobody is in a batch twice"


def test_the_largest_source_comes_once_and_the_smaller_ones_more_often():
    batches = list(build().epoch(0))
    assert len(batches) == len(build()) == 20  # 240 images of the larger, 12 to a batch
    seen = Counter(np.concatenate(batches).tolist())
    assert set(seen) == set(range(264))
    assert all(seen[image] == 1 for image in range(240))
    assert all(9 <= seen[image] <= 11 for image in range(240, 264))


@pytest.mark.parametrize("name", ["identities", "identity_pairs"])
def test_each_replica_gets_its_share_of_each_source(name):
    for batch in build(name, replicas=2).epoch(1):
        for share in np.split(np.asarray(batch), 2):
            counted = Counter(SOURCES[share.reshape(-1)])
            assert counted["large"] == counted["small"]


def test_an_epoch_follows_from_the_seed_and_its_number():
    first, again, other = (np.concatenate(list(build().epoch(number))) for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_without_balance_the_sources_are_not_looked_at():
    plain = build(balance_sources=False)
    unnamed = build(balance_sources=False, sources=None)
    np.testing.assert_array_equal(list(plain.epoch(0)), list(unnamed.epoch(0)))


def test_what_is_wrong_is_named():
    with pytest.raises(InputError, match=r"needs a data set of several sources\. Received: images of large alone"):
        build(sources=np.array(["large"] * 264))
    with pytest.raises(InputError, match=r"several sources\. Received: sources=None"):
        build(sources=None)
    with pytest.raises(InputError, match=r"multiple of 4, so that each of the 2 sources .*2 replicas\. Received: 6"):
        build(replicas=2, identities_per_batch=6)
    with pytest.raises(InputError, match=r"number of training identities, 8\. Received: 10"):
        build(identities_per_batch=20)
