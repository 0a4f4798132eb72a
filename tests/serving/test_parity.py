"""The gate that every export passes."""

import numpy as np
import pytest

from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.record import Record, ReIDDataset
from reid_tf.encoder.embed import embed
from reid_tf.errors import InputError
from reid_tf.serving.parity import Tolerance, compare, default_tolerance, whole_identities
from tests.made_exports import attribute_encoder, write_data

SAME = Tolerance(1e-3, 0.1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return load_dataset("csv_table", str(write_data(tmp_path_factory.mktemp("data") / "people")))


@pytest.fixture(scope="module")
def encoder():
    return attribute_encoder()


def parity_of(encoder, dataset, change, tolerance=SAME):
    """Parity with an export whose embeddings are those of the encoder, changed."""
    return compare(
        encoder, lambda records: change(embed(encoder, records, verbose=0).vectors), dataset, "market1501", tolerance
    )


def naive_figures(query, gallery, records_of_query, records_of_gallery):
    """Rank-1 and mAP by the book: all gallery images by cosine, those of the query's identity and camera left out."""
    rank1, precisions = [], []
    for vector, record in zip(query, records_of_query, strict=True):
        ranked = []
        for other, candidate in zip(gallery, records_of_gallery, strict=True):
            if (candidate.identity, candidate.camera) != (record.identity, record.camera):
                cosine = vector @ other / np.linalg.norm(vector) / np.linalg.norm(other)
                ranked.append((-cosine, candidate.identity == record.identity))
        matches = [match for _, match in sorted(ranked)]
        found = [sum(matches[: rank + 1]) / (rank + 1) for rank, match in enumerate(matches) if match]
        rank1.append(matches[0])
        precisions.append(np.mean(found))
    return np.mean(rank1), np.mean(precisions)


def test_figures_are_those_of_a_naive_loop(encoder, dataset):
    def blurred(vectors):
        return vectors + np.float32(0.3) * np.sin(40 * vectors)

    parity = parity_of(encoder, dataset, blurred)
    ours = [embed(encoder, records, verbose=0).vectors for records in (dataset.query, dataset.gallery)]
    expected = [naive_figures(*sides, dataset.query, dataset.gallery) for sides in (ours, list(map(blurred, ours)))]
    np.testing.assert_allclose(np.transpose([parity.rank1, parity.mean_average_precision]), expected, atol=1e-6)
    vectors = np.concatenate(ours)
    differences = [np.linalg.norm(a - b) for a, b in zip(vectors, blurred(vectors), strict=True)]
    lengths = [np.linalg.norm(vector) for vector in vectors]
    assert parity.difference == pytest.approx(max(differences) / np.mean(lengths), rel=1e-5)
    assert (parity.images, parity.queries) == (32, 8)


@pytest.mark.slow
def test_the_tolerance_decides(encoder, dataset):
    parity_of(encoder, dataset, lambda vectors: vectors * np.float32(1.0001)).check("litert")
    with pytest.raises(InputError, match=r"differ by up to 0\.0\d+ of .*\(at most 0\.001 is allowed\)"):
        parity_of(encoder, dataset, lambda vectors: vectors * np.float32(1.02)).check("litert")
    anything = Tolerance(None, 1.0)
    parity_of(encoder, dataset, lambda vectors: -5 * vectors, anything).check("litert-int8")
    with pytest.raises(InputError, match=r"\(any is allowed\), mAP is .* \(1 points less is allowed\)"):
        parity_of(encoder, dataset, lambda vectors: np.sin(1000 * vectors), anything).check("litert-int8")
    with pytest.raises(InputError, match=r"differ by up to nan .*, mAP is 0\.00 instead"):
        parity_of(encoder, dataset, lambda vectors: vectors * np.nan, anything).check("onnx")


def test_half_precision_and_eight_bits_are_allowed_more():
    assert default_tolerance("onnx", "float32") == Tolerance(1e-3, 0.1)
    half = [default_tolerance("onnx", precision) for precision in ("mixed_float16", "mixed_bfloat16")]
    assert 1e-3 < half[0].difference < half[1].difference <= 0.1
    assert default_tolerance("litert-int8", "mixed_bfloat16") == Tolerance(None, 1.0)


def made(rows):
    return tuple(Record(f"{index}.jpg", identity, index) for index, identity in enumerate(rows))


def test_people_are_compared_with_all_their_images():
    dataset = ReIDDataset("made", (), made([1, 2, 3, 4, 5]), made([1, 1, 2, 3, 3, 3, 3, 3, 3, 4, 5, 9, 9]))
    assert whole_identities(dataset, 18) == dataset
    for most in (4, 7, 9, 12, 17):
        chosen = whole_identities(dataset, most)
        identities = {record.identity for record in chosen.query}
        assert len(chosen.query + chosen.gallery) <= most
        assert len(identities) >= 2
        for split in ("query", "gallery"):
            kept = [record for record in getattr(dataset, split) if record.identity in identities | {9}]
            assert set(getattr(chosen, split)) <= set(kept)
            assert {record for record in kept if record.identity != 9} <= set(getattr(chosen, split))
        assert chosen == whole_identities(dataset, most)
    # The one without a query comes last.
    assert {record.identity for record in whole_identities(dataset, 17).gallery} == {1, 2, 3, 4, 5}
    with pytest.raises(InputError, match=r"at least 4\. Received: max_images=3"):
        whole_identities(dataset, 3)
