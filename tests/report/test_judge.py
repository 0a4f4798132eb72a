"""Verification of the test people, against a loop over pairs."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.encoder.encoder import Encoder
from reid_tf.errors import InputError
from reid_tf.report.judge import judge
from tests.models.made_models import build


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Three people under two cameras, and an image of somebody whom nobody searches for."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)

    def record(name, identity, camera):
        cv2.imwrite(str(folder / name), generator.integers(0, 256, (16, 8, 3), np.uint8))
        return Record(str(folder / name), identity, camera)

    query = tuple(record(f"q{identity}.png", identity, 1) for identity in (1, 2, 3))
    gallery = tuple(
        record(f"g{identity}{camera}{number}.png", identity, camera)
        for identity in (1, 2, 3)
        for camera in (1, 2)
        for number in (0, 1)
    )
    return ReIDDataset("made", (), query, (*gallery, record("other.png", 0, 2)))


@pytest.fixture(scope="module")
def system():
    return build("multitask", embedding_dim=8)


def rates(encoder, dataset, across_cameras):
    """The cosine distances of genuine and of impostor pairs, one by one."""
    records = [record for record in dataset.query + dataset.gallery if record.identity > 0]
    vectors = embed(encoder, records, verbose=0).vectors
    sides = {True: [], False: []}
    for a, one in enumerate(records):
        for b, other in enumerate(records[:a]):
            if across_cameras and one.camera == other.camera:
                continue
            cosine = vectors[a] @ vectors[b] / np.linalg.norm(vectors[a]) / np.linalg.norm(vectors[b])
            sides[one.identity == other.identity].append(1 - cosine)
    return np.array(sides[True]), np.array(sides[False])


@pytest.mark.parametrize(("protocol", "across_cameras"), [("market1501", True), ("single_camera", False)])
def test_pairs_are_those_of_the_people_who_are_searched_for(system, dataset, tmp_path, protocol, across_cameras):
    encoder = Encoder(system)
    judgement = judge(encoder, dataset, tmp_path, verifier=system.verifier, protocol=protocol)
    genuine, impostor = rates(encoder, dataset, across_cameras)
    area = np.mean([(genuine < one).mean() + (genuine == one).mean() / 2 for one in impostor])
    found = judgement.figures["verification"]
    assert list(found) == ["cosine distance", "1 - verifier's probability"]
    assert found["cosine distance"]["area_under_curve"] == pytest.approx(area, abs=1e-5)
    table = judgement.tables[1]
    assert f"{100 * found['cosine distance']['equal_error_rate']:.2f}" in table
    assert (tmp_path / "tables.md").read_text() == "\n\n".join(judgement.tables) + "\n"
    assert (tmp_path / "verification.csv").read_text().startswith("compared,")
    json.dumps(judgement.figures, allow_nan=False)


def test_one_person_alone_cannot_be_told_from_another(system, dataset, tmp_path):
    alone = ReIDDataset("alone", (), dataset.query[:1], dataset.gallery)
    judgement = judge(Encoder(system), alone, tmp_path)
    assert "verification" not in judgement.figures
    assert len(judgement.tables) == 1


def test_unknown_people_and_junk_count_in_the_open_set_alone(system, dataset, tmp_path):
    stranger = dataclasses.replace(dataset.query[0], identity=-1)
    junk = dataclasses.replace(dataset.gallery[0], identity=-1)
    with_both = ReIDDataset("made", (), (*dataset.query, stranger), (*dataset.gallery[1:], junk))
    encoder = Encoder(system)
    with pytest.raises(InputError, match="marks junk and images of unknown persons"):
        judge(encoder, with_both, tmp_path)
    judgement = judge(encoder, with_both, tmp_path, unknown_share=0.0)
    assert judgement.figures["valid_queries"] == 3
    assert judgement.figures["open_set"]["unknown_queries"] == 1
    assert (tmp_path / "open_set.png").is_file()
    assert "3 known and 1 unknown queries" in judgement.tables[-1]
