import numpy as np
import pytest

from reid_tf.calibration import calibrate as module
from reid_tf.calibration.people import held_out_records, searched_records
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.datasets.splits import by_order
from reid_tf.datasets.summary import data_hash, summarise
from reid_tf.encoder import verifier as verifier_module
from reid_tf.encoder.verifier import load_verifier, verifier_probabilities
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.models.heads import VerificationHead
from reid_tf.retrieval.verification_pairs import verification_pairs


def records(split, identities):
    return tuple(
        Record(f"{split}/{identity}_{camera}.png", identity, camera) for identity in identities for camera in (1, 2)
    )


@pytest.fixture
def dataset():
    return ReIDDataset("d", records("train", range(10, 20)), records("query", [3, 4]), records("gallery", [0, 3, 4, 5]))


@pytest.fixture
def run(tmp_path, dataset):
    write_json(tmp_path / "manifest.json", {"dataset": {"name": "d", **summarise(dataset)}, "data_hash": "of others"})
    return tmp_path


def test_queries_that_are_in_the_gallery_too_count_once(run, dataset):
    split = by_order(dataset, share=0.7)
    assert set(split.query) <= set(split.gallery)
    assert held_out_records(run, {"name": "by_order", "share": 0.7}, dataset) == split.gallery


def test_changed_images_are_warned_of(run, dataset, caplog):
    held_out_records(run, {"name": "held_out"}, dataset)
    assert "the images of d, or their landmarks, have changed" in caplog.text


def test_distractors_are_nobodys_images(run, dataset):
    found = searched_records(run, dataset)
    assert {record.identity for record in found} == {3, 4}
    assert len(found) == 8
    with pytest.raises(InputError, match="The data set 'd' has no queries .* it holds"):
        searched_records(run, ReIDDataset("d", (), (), dataset.gallery))
    with pytest.raises(InputError, match="query and gallery of 'd' do not say it"):
        searched_records(run, ReIDDataset("d", (), records("query", [-1]), records("gallery", [-1])))
    write_json(run / "manifest.json", {"data_hash": data_hash(dataset)})
    with pytest.raises(InputError, match="Query and gallery of 'd' are the test set of the run"):
        searched_records(run, dataset)


def test_a_verifier_is_asked_about_every_pair(tmp_path, monkeypatch):
    assert load_verifier(tmp_path) is None
    head = VerificationHead(0.5).verifier(3)
    head.get_layer("verification_classifier").set_weights([np.array([[-1.0, 1], [-2, 0], [0, 3]]), np.array([1.0, 0])])
    head.save(tmp_path / "verifier.keras")
    vectors = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    pairs = verification_pairs(np.arange(9) // 3, np.arange(9) % 3, False)
    monkeypatch.setattr(verifier_module, "_BLOCK_BYTES", 2 * vectors[0].nbytes * 7)  # blocks of seven pairs
    probabilities = verifier_probabilities(load_verifier(tmp_path), vectors, pairs, verbose=0)
    square = (vectors[pairs.first] - vectors[pairs.second]) ** 2
    same, different = square @ [-1, -2, 0] + 1, square @ [1, 0, 3]
    np.testing.assert_allclose(probabilities, 1 / (1 + np.exp(different - same)), rtol=1e-4)


@pytest.mark.parametrize("vectors", [np.zeros((40, 3), np.float32), np.ones((40, 3), np.float32)])
def test_an_encoder_that_tells_nobody_apart(monkeypatch, vectors):
    class Collapsed:
        distance = "mean_squared"

    class Embedded:
        pass

    embedded = Embedded()
    embedded.vectors = vectors
    monkeypatch.setattr(module, "embed", lambda *arguments, **options: embedded)
    people = records("x", range(20))
    with pytest.raises(
        InputError, match="No threshold is strict enough: more than 0.1 of the 380 impostor pairs .* 0."
    ):
        module.calibrate(Collapsed(), None, people, 0.1, verbose=0)


def test_an_encoder_that_finds_others_nearer(monkeypatch):
    vectors = np.repeat(np.random.default_rng(0).normal(size=(20, 8)), 2, axis=0).astype(np.float32)
    vectors[1::2] *= -1  # the second image of a person is opposite to the first
    embedded = type("Embedded", (), {"vectors": vectors})
    monkeypatch.setattr(module, "embed", lambda *arguments, **options: embedded)
    encoder = type("Encoder", (), {"distance": "euclidean"})
    with pytest.raises(InputError, match=r"are not nearer than pairs of two\. Received: a slope of -.* over 400 pairs"):
        module.calibrate(encoder, None, records("x", range(20)), 0.5, verbose=0)
