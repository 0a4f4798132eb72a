import itertools
import logging

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.pipeline.samplers.identities import identities as identity_sampler
from reid_tf.pipeline.samplers.identity_pairs import identity_pairs, pair_block, spread_positives

RNG = np.random.default_rng(0)
# 30 identities with 2 to 12 images.
IDENTITIES = RNG.permutation(np.repeat(np.arange(30), RNG.integers(2, 13, 30)))


@pytest.mark.parametrize(("p", "k"), [(8, 4), (30, 1), (7, 6), (4, 16)])
def test_a_batch_is_p_identities_with_k_images_each(p, k):
    sampler = identity_sampler(IDENTITIES, seed=1, identities_per_batch=p, images_per_identity=k)
    assert len(sampler) == max(-(-len(IDENTITIES) // (p * k)), -(-30 // p))
    seen = np.zeros(30, int)
    for batch in sampler.epoch(0):
        assert batch.shape == (p * k,)
        rows = IDENTITIES[batch].reshape(p, k)
        assert np.all(rows == rows[:, :1])  # an identity's images stand together
        assert len(set(rows[:, 0])) == p
        seen[rows[:, 0]] += 1
        for row, identity in zip(batch.reshape(p, k), rows[:, 0], strict=True):
            assert len(set(row)) == min(k, np.sum(identity == IDENTITIES))  # no repeats but where there must be
    assert seen.min() >= 1
    assert seen.max() - seen.min() <= 1


def test_an_identitys_images_take_turns():
    identities = np.repeat(np.arange(4), 12)
    sampler = identity_sampler(identities, seed=1, identities_per_batch=2, images_per_identity=4)
    counts = np.bincount(np.concatenate(list(sampler.epoch(0))), minlength=48)
    np.testing.assert_array_equal(counts, np.ones(48))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"identities_per_batch": 31}, r"between 1 and the number of training identities, 30\. Received: 31"),
        ({"identities_per_batch": 0}, "Received: 0"),
        ({"images_per_identity": 0}, r"at least 1\. Received: 0"),
        ({"identities_per_batch": 9, "replicas": 2}, r"multiple of the 2 replicas.*Received: 9"),
    ],
)
def test_impossible_numbers_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        identity_sampler(IDENTITIES, 1, **options)
    with pytest.raises(InputError, match=message):
        identity_pairs(IDENTITIES, 1, 1, **options)


@pytest.mark.parametrize("replicas", [1, 2, 4])
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_each_replicas_block_is_whole_identities_paired_among_themselves(replicas, share):
    sampler = identity_pairs(
        IDENTITIES, 1, 1, replicas, identities_per_batch=8, images_per_identity=4, positive_share=share
    )
    positives, pairs = 0, 0
    for batch in sampler.epoch(0):
        assert batch.shape == (16, 2)
        for block in np.split(batch, replicas):
            identities, counts = np.unique(IDENTITIES[block], return_counts=True)
            assert len(identities) == 8 // replicas
            assert np.all(counts == 4)
            same = IDENTITIES[block[:, 0]] == IDENTITIES[block[:, 1]]
            assert np.all(block[same, 0] != block[same, 1])
            assert abs(same.sum() - share * len(block)) <= 1
            positives, pairs = positives + same.sum(), pairs + len(block)
        images, times = np.unique(batch, return_counts=True)
        several = np.isin(IDENTITIES[images], np.flatnonzero(np.bincount(IDENTITIES) >= 4))
        assert np.all(times[several] == 1)  # each image once, but where an identity has too few
    assert positives == pytest.approx(share * pairs, abs=1)


def test_identities_with_one_image_have_negative_pairs_only(caplog):
    identities = np.concatenate([np.arange(6), np.repeat(np.arange(6, 12), 5)])
    with caplog.at_level(logging.INFO):
        sampler = identity_pairs(identities, 1, 1, identities_per_batch=4, images_per_identity=4)
    assert "6 of 12 identities have a single image" in caplog.text
    for batch in sampler.epoch(0):
        same = identities[batch[:, 0]] == identities[batch[:, 1]]
        assert np.all(identities[batch[same]] >= 6)
        assert np.all(batch[same, 0] != batch[same, 1])


def test_the_share_of_identity_pairs_follows_its_schedule():
    sampler = identity_pairs(np.repeat(np.arange(200), 4), 3, 1, identities_per_batch=10, final_positive_share=0.2)
    shares = [np.mean([(batch[:, 0] // 4 == batch[:, 1] // 4).mean() for batch in sampler.epoch(n)]) for n in range(3)]
    assert shares == pytest.approx([1 / 2, 2 / 7, 1 / 5], abs=0.005)


@pytest.mark.parametrize(("p", "k", "replicas"), [(2, 4, 2), (3, 3, 1), (6, 3, 2), (4, 1, 1)])
def test_blocks_that_cannot_be_paired_are_refused(p, k, replicas):
    message = f"identities_per_batch={p} for {replicas} replicas, images_per_identity={k}"
    with pytest.raises(InputError, match=message):
        identity_pairs(IDENTITIES, 1, 1, replicas, identities_per_batch=p, images_per_identity=k)


@pytest.mark.parametrize(("p", "k"), [(2, 2), (2, 4), (3, 2), (3, 4), (4, 3), (2, 5), (5, 4)])
def test_the_nearest_possible_number_of_positive_pairs_is_taken(p, k):
    """Against all ways of spreading pairs over identities, of which those count whose rest can be paired."""
    for several in itertools.product([True, False], repeat=p):
        possible = set()
        for pairs in itertools.product(range(k // 2 + 1), repeat=p):
            left = k - 2 * np.array(pairs)
            allowed = all(flag or not count for flag, count in zip(several, pairs, strict=True))
            if allowed and 2 * left.max() <= left.sum():
                possible.add(sum(pairs))
        for wanted in np.arange(0, p * k / 2 + 0.1, 0.25):
            positives = spread_positives(np.array(several), k, wanted)
            assert positives.sum() in possible
            assert abs(positives.sum() - wanted) == min(abs(count - wanted) for count in possible)
            block = np.arange(p * k).reshape(p, k)
            paired = pair_block(block, positives)
            np.testing.assert_array_equal(np.sort(paired.reshape(-1)), np.arange(p * k))
            assert np.sum(paired[:, 0] // k == paired[:, 1] // k) == positives.sum()
