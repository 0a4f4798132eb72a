import logging

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.pipeline.samplers.identity_groups import IdentityGroups
from reid_tf.pipeline.samplers.share import PositiveShare
from reid_tf.registry import SAMPLERS

RNG = np.random.default_rng(0)
# 300 images of 40 identities; 41 and 42 have one image each. Neither sorted nor numbered without gaps.
IDENTITIES = RNG.permutation(np.concatenate([RNG.integers(0, 40, 298) * 7, [1, 2]]))
CAMERAS = RNG.integers(1, 5, 300)

COMPONENTS = (
    {"name": "images", "batch_size": 32},
    {"name": "pairs", "batch_size": 32},
    {"name": "pairs", "batch_size": 32, "cross_camera": True, "final_positive_share": 0.2},
    {"name": "identities", "identities_per_batch": 8},
    {"name": "identity_pairs", "identities_per_batch": 8, "final_positive_share": 0.2},
)


def build(component, identities=IDENTITIES, cameras=CAMERAS, seed=1, epochs=4, replicas=1):
    return SAMPLERS.build(
        component, identities=identities, cameras=cameras, epochs=epochs, seed=seed, replicas=replicas
    )


@pytest.fixture(params=COMPONENTS, ids=lambda component: "-".join(map(str, component.values())))
def component(request):
    return request.param


def test_every_registered_sampler_is_tested_here():
    assert {component["name"] for component in COMPONENTS} == set(SAMPLERS.names())


def test_an_epoch_has_the_length_and_the_form_that_are_announced(component):
    sampler = build(component)
    for epoch in (0, 3):
        batches = list(sampler.epoch(epoch))
        assert len(batches) == len(sampler)
        for batch in batches:
            assert batch.dtype == np.int64
            assert batch.shape[1:] == {"images": (), "pairs": (2,)}[sampler.kind]
            assert 0 <= batch.min() <= batch.max() < 300


def test_an_epoch_follows_from_the_seed_and_its_number(component):
    def epoch(number, seed=1):
        return np.concatenate(list(build(component, seed=seed).epoch(number)))

    sampler = build(component)
    list(sampler.epoch(0))  # what went before does not matter
    resumed = np.concatenate(list(sampler.epoch(2)))
    np.testing.assert_array_equal(resumed, epoch(2))
    assert not np.array_equal(resumed, epoch(3))
    assert not np.array_equal(resumed, epoch(2, seed=2))


def test_lists_do_as_well_as_arrays(component):
    from_lists = build(component, IDENTITIES.tolist(), CAMERAS.tolist())
    np.testing.assert_array_equal(next(from_lists.epoch(0)), next(build(component).epoch(0)))


@pytest.mark.parametrize("name", ["images", "pairs"])
@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [
        (32, [32] * 8 + [16, 28]),  # not 32 and 12
        (24, [24] * 12 + [12]),
        (30, [30] * 10),
        (299, [150, 150]),
        (7, [7] * 42 + [6]),
        (300, [300]),
        (1, [1] * 300),
    ],
)
def test_every_image_comes_once_and_no_batch_is_less_than_half_full(name, batch_size, sizes):
    batches = list(build({"name": name, "batch_size": batch_size}).epoch(0))
    assert [len(batch) for batch in batches] == sizes
    images = np.concatenate([batch if name == "images" else batch[:, 0] for batch in batches])
    np.testing.assert_array_equal(np.sort(images), np.arange(300))
    assert not np.array_equal(images, np.arange(300))


@pytest.mark.parametrize("name", ["images", "pairs"])
def test_replicas_get_equal_shares_of_full_batches(name):
    component = {"name": name, "batch_size": 32}
    np.testing.assert_array_equal(next(build(component, replicas=4).epoch(0)), next(build(component).epoch(0)))
    with pytest.raises(InputError, match=r"batch_size must be a multiple of the 3 replicas\. Received: 32"):
        build(component, replicas=3)


@pytest.mark.parametrize("batch_size", [0, 301])
@pytest.mark.parametrize("name", ["images", "pairs"])
def test_an_impossible_batch_size_is_refused(name, batch_size):
    with pytest.raises(InputError, match=rf"(at least 1|the 300 training images)\. Received: {batch_size}"):
        build({"name": name, "batch_size": batch_size})


def test_a_negative_seed_is_refused(component):
    with pytest.raises(InputError, match="seed must not be negative. Received: -3"):
        build(component, seed=-3)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0.5, None, [0.5, 0.5, 0.5, 0.5]),
        (0.5, 0.2, [1 / 2, 1 / 3, 1 / 4, 1 / 5]),
        (0.2, 0.5, [1 / 5, 1 / 4, 1 / 3, 1 / 2]),
    ],
)
def test_the_negatives_for_each_positive_grow_by_equal_steps(first, last, expected):
    share = PositiveShare(first, last, epochs=4)
    assert [share.at(epoch) for epoch in range(4)] == pytest.approx(expected)
    assert share.at(9) == pytest.approx(expected[-1])
    assert PositiveShare(first, last, epochs=1).at(0) == pytest.approx(expected[0])


@pytest.mark.parametrize("name", ["pairs", "identity_pairs"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive_share": 1.5}, r"positive_share must lie in \[0, 1\]\. Received: 1.5"),
        ({"final_positive_share": -0.5}, r"final_positive_share must lie in \[0, 1\]\. Received: -0.5"),
        ({"final_positive_share": 0.0}, "above 0.*positive_share=0.5, final_positive_share=0.0"),
    ],
)
def test_an_impossible_share_is_refused(name, options, message):
    component = {"name": name, **({"batch_size": 8} if name == "pairs" else {}), **options}
    with pytest.raises(InputError, match=message):
        build(component)


@pytest.mark.parametrize(
    "component", [{"name": "pairs", "batch_size": 4}, {"name": "identity_pairs", "identities_per_batch": 2}]
)
def test_data_that_cannot_give_the_pairs_are_refused(component):
    with pytest.raises(
        InputError, match=r"positive_share=0.5 needs an identity with at least two images, but each of .* only one"
    ):
        build(component, [1, 2, 3, 4], [1, 1, 1, 1])
    if component["name"] == "pairs":
        with pytest.raises(InputError, match=r"positive_share=0.5 needs at least two identities, but there is only 1"):
            build(component, [1, 1, 1, 1], [1, 1, 1, 1])


@pytest.mark.parametrize("component", [COMPONENTS[1], COMPONENTS[4]])
def test_identities_with_one_image_are_counted_in_the_log(component, caplog):
    with caplog.at_level(logging.INFO):
        build(component)
    singles = np.sum(np.unique(IDENTITIES, return_counts=True)[1] == 1)
    assert [record.message for record in caplog.records] == [
        f"{singles} of {len(np.unique(IDENTITIES))} identities have a single image: they serve in negative pairs only."
    ]


def test_groups_draw_every_possible_partner_equally_often():
    identities, cameras = np.array([5, 3, 5, 5, 3, 5, 8]), np.array([1, 1, 2, 1, 1, 2, 1])
    groups, rng = IdentityGroups(identities, cameras), np.random.default_rng(0)
    images = np.full(6000, 0)
    for drawn, expected in (
        (groups.same(images, rng), [2, 3, 5]),
        (groups.same(images, rng, other_camera=True), [2, 5]),
        (groups.other(images, rng), [1, 4, 6]),
        (groups.same(np.full(6000, 1), rng, other_camera=True), [4]),  # there is no other camera
        (groups.other(np.full(6000, 2), rng, other_camera=True), [1, 4, 6]),
        (groups.other(images, rng, other_camera=True), [1, 4, 6]),  # nobody else is under another camera
    ):
        values, counts = np.unique(drawn, return_counts=True)
        assert values.tolist() == expected
        assert np.all(np.abs(counts - 6000 / len(expected)) < 4 * np.sqrt(6000))
