import numpy as np
import pytest

from reid_tf.pipeline.samplers.pairs import pairs

RNG = np.random.default_rng(0)
IDENTITIES = RNG.permutation(np.repeat(np.arange(50), 8))
CAMERAS = RNG.integers(1, 4, 400)


def epoch(number=0, identities=IDENTITIES, cameras=CAMERAS, epochs=7, **options):
    return list(pairs(identities, cameras, epochs, seed=1, **options).epoch(number))


def same(batch, labels=IDENTITIES):
    return labels[batch[:, 0]] == labels[batch[:, 1]]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("batch_size", [1, 16, 30, 400])
def test_the_share_is_exact_over_an_epoch_and_rounded_in_a_batch(share, batch_size):
    batches = epoch(batch_size=batch_size, positive_share=share)
    assert sum(same(batch).sum() for batch in batches) == round(400 * share)
    for batch in batches:
        assert abs(same(batch).sum() - share * len(batch)) < 1.0 + 1e-9


def test_the_share_follows_its_schedule():
    for number, share in [(0, 1 / 2), (2, 1 / 3), (4, 1 / 4), (6, 1 / 5)]:
        batches = epoch(number, batch_size=20, positive_share=0.5, final_positive_share=0.2)
        assert np.mean([same(batch).mean() for batch in batches]) == pytest.approx(share, abs=0.002)


def test_nothing_is_paired_with_itself():
    for batch in epoch(batch_size=16):
        assert np.all(batch[:, 0] != batch[:, 1])


def test_pairs_are_not_sorted_by_kind():
    kinds = np.concatenate([same(batch) for batch in epoch(batch_size=40)])
    changes = np.mean(kinds[1:] != kinds[:-1])
    assert 0.4 < changes < 0.6


def test_an_image_is_sometimes_positive_and_sometimes_negative():
    sampler = pairs(IDENTITIES, CAMERAS, 7, seed=1, batch_size=40)
    kinds = np.zeros((40, 400), bool)
    for number in range(40):
        for batch in sampler.epoch(number):
            kinds[number, batch[:, 0]] = same(batch)
    assert np.all(np.abs(kinds.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(40))


def test_partners_come_from_another_camera_where_there_is_one():
    """Negative partners too, so that the camera does not give the answer away."""
    apart = np.concatenate(epoch(batch_size=40, cross_camera=True))
    anyhow = np.concatenate(epoch(batch_size=40))
    assert 0 < same(apart).sum() < len(apart)
    assert np.all(CAMERAS[apart[:, 0]] != CAMERAS[apart[:, 1]])
    assert np.any(CAMERAS[anyhow[:, 0]] == CAMERAS[anyhow[:, 1]])
    one_camera = epoch(batch_size=40, cross_camera=True, cameras=np.ones(400, int))
    assert sum(same(batch).sum() for batch in one_camera) == 200
    assert all(np.all(batch[:, 0] != batch[:, 1]) for batch in one_camera)


def test_identities_with_one_image_serve_as_negatives_only():
    identities = np.concatenate([np.arange(30), np.repeat(np.arange(30, 35), 2)])  # 30 single images, 10 others
    batches = epoch(identities=identities, cameras=np.ones(40, int), batch_size=10)
    for batch in batches:
        single = identities[batch[:, 0]] < 30
        assert not same(batch, identities)[single].any()
        assert same(batch, identities).sum() == min(5, np.sum(~single))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)[:, 0]), np.arange(40))
