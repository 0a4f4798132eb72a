import collections

import numpy as np
import pytest

from reid_tf.datasets.market1501 import NAME
from reid_tf.datasets.pedestrians.population import GALLERY, QUERY, TRAIN, Parameters, Stream, draw_population


def parameters(**changes):
    defaults = {"identities": 12, "images_per_identity": 8, "cameras": 6, "twins": 2, "image_size": (64, 32), "seed": 0}
    return Parameters(**{**defaults, **changes})


def shots(population, folder):
    return [(s.identity, shot) for s in population for shot in s.shots if shot.path.startswith(f"{folder}/")]


def test_names_are_unique_and_market1501s():
    population = draw_population(parameters())
    paths = [shot.path for subject in population for shot in subject.shots]
    assert len(set(paths)) == len(paths)
    assert len({shot.number for subject in population for shot in subject.shots}) == len(paths)
    for subject in population:
        for shot in subject.shots:
            match = NAME.fullmatch(shot.path.split("/")[1])
            assert int(match["identity"]) == subject.identity
            assert int(match["camera"]) == shot.camera


@pytest.mark.parametrize("images", [2, 3, 4, 5, 8, 20])
@pytest.mark.parametrize("cameras", [2, 3, 6])
def test_every_query_is_found_under_another_camera(images, cameras):
    population = draw_population(parameters(images_per_identity=images, cameras=cameras))
    gallery = collections.defaultdict(set)
    for identity, shot in shots(population, GALLERY):
        gallery[identity].add(shot.camera)
    queries = shots(population, QUERY)
    assert queries
    for identity, shot in queries:
        assert gallery[identity] - {shot.camera}
    asked = [(identity, shot.camera) for identity, shot in queries]
    assert len(set(asked)) == len(asked)  # one query an identity and camera


def test_parts_are_disjoint_and_counted():
    population = draw_population(parameters(identities=30))
    train = {identity for identity, _ in shots(population, TRAIN)}
    query = {identity for identity, _ in shots(population, QUERY)}
    gallery = collections.Counter(identity for identity, _ in shots(population, GALLERY))
    assert train == set(range(1, 21))
    assert query == set(range(21, 31))
    assert set(gallery) == query | {0, -1}
    assert gallery[0] == 16  # 0.2 of 10 x 8
    assert gallery[-1] == 4


def test_identities_are_seen_from_all_sides_and_by_several_cameras():
    for subject in draw_population(parameters())[:12]:
        towards = {round(shot.yaw / (np.pi / 2)) % 4 for shot in subject.shots}
        assert len(towards) >= 3
        assert len({shot.camera for shot in subject.shots}) == 4


@pytest.mark.parametrize("twins", [1, 2, 3])
def test_twins_stand_in_a_row_within_a_part(twins):
    population = [s for s in draw_population(parameters(identities=36, twins=twins)) if s.identity > 0]
    for part in (population[:24], population[24:]):
        for start in range(0, len(part), twins):
            looks = [subject.look for subject in part[start : start + twins]]
            assert len({look.attributes for look in looks}) == 1
            assert len({repr(look) for look in looks}) == len(looks)
        assert len({subject.look.attributes for subject in part}) >= len(part) // twins - 1


def test_random_numbers_of_different_things_are_apart():
    draws = [parameters().rng(stream, number).random() for stream in Stream for number in range(3)]
    assert len(set(draws)) == len(draws)
    assert parameters().rng(Stream.LOOK, 1).random() == parameters(cameras=3).rng(Stream.LOOK, 1).random()
    assert parameters().rng(Stream.LOOK, 1).random() != parameters(seed=1).rng(Stream.LOOK, 1).random()
