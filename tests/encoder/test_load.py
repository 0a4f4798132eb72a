"""Runs and exports that were damaged or edited: a sentence, or the vectors as they were."""

import json
import random
import shutil

import numpy as np
import pytest

from reid_tf.checksums import checksums
from reid_tf.encoder.load import load_encoder
from reid_tf.encoder.verifier import load_verifier
from reid_tf.errors import InputError
from reid_tf.files import write_json
from reid_tf.retrieval.calibration import Calibration
from reid_tf.serving.export import write_export
from reid_tf.serving.formats.source import Source
from reid_tf.training.saved import load_model
from tests.made_batches import build
from tests.made_exports import attribute_encoder, pictures, scatter

MODELS = ("encoder.keras", "verifier.keras")
PICTURES = pictures(3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    encoder = attribute_encoder(flip=True)
    encoder.model.save(folder / "encoder.keras")
    verifier = scatter(build("multitask", outputs=["identity_a", "verification"], embedding_dim=6).verifier, 1)
    verifier.save(folder / "verifier.keras")
    write_json(
        folder / "manifest.json",
        {"encoder": encoder.describe(), "checksums": checksums(folder, MODELS), "seconds": 1.5},
    )
    return folder


@pytest.fixture(scope="module", params=["savedmodel", "litert", "onnx"])
def export(request, run, tmp_path_factory):
    if request.param == "onnx":
        pytest.importorskip("tf2onnx")
    folder = tmp_path_factory.mktemp(request.param)
    write_export(Source(load_encoder(run), None, 100_000), request.param, folder, run="a")
    return folder


def test_a_run_and_its_exports_have_one_fingerprint(run, export):
    fingerprint = load_encoder(run).fingerprint
    assert fingerprint == attribute_encoder(flip=True).fingerprint
    assert load_encoder(export).fingerprint == fingerprint
    assert load_encoder(run).with_options(normalize=True).fingerprint != fingerprint


def damaged(content: bytes, chance: random.Random) -> bytes:
    """A file that was cut off, emptied, overwritten in places or continued."""
    place = chance.randrange(len(content))
    return chance.choice(
        [
            lambda: content[:place],
            lambda: b"",
            lambda: content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :],
            lambda: content[:place] + chance.randbytes(20) + content[place + 20 :],
            lambda: content + chance.randbytes(5),
        ]
    )()


def edited(content: bytes, chance: random.Random) -> bytes:
    """A JSON file of which one value is another, or gone."""
    values = json.loads(content)
    place, key = values, chance.choice(list(values))
    while isinstance(place[key], dict) and place[key] and chance.random() < 0.8:
        place = place[key]
        key = chance.choice(list(place))
    if chance.random() < 0.3:
        del place[key]
    else:
        place[key] = chance.choice([None, True, -1, 0, 2, 1e300, "", "cosine", [], [16, 8], [0, 0], {}, {"a": 1}])
    return json.dumps(values).encode()


def outcome(open_it, expected):
    """ "refused", or "same"; anything else is a failure."""
    try:
        vectors = open_it()
    except InputError as error:
        return "refused" if "\n" not in str(error) else "in several lines"
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-5)
    return "same"


@pytest.mark.parametrize(
    "name", ["manifest.json", "encoder.keras", pytest.param("verifier.keras", marks=pytest.mark.slow)]
)
def test_a_damaged_run_is_refused_or_gives_the_same_vectors(run, tmp_path, name):
    embeddings = np.random.default_rng(0).normal(size=(2, 3, 6)).astype(np.float32)
    pair = {"embedding_a": embeddings[0], "embedding_b": embeddings[1]}

    def answers(folder):
        found = load_encoder(folder)(PICTURES)
        return np.append(found, load_verifier(folder).predict_on_batch(pair)["probability"])

    expected, seen = answers(run), []
    copy = shutil.copytree(run, tmp_path / "run")
    chance = random.Random(name)
    changes = [edited, edited, damaged] if name.endswith(".json") else [damaged]
    for _ in range(24):
        (copy / name).write_bytes(chance.choice(changes)((run / name).read_bytes(), chance))
        seen.append(outcome(lambda: answers(copy), expected))
    assert set(seen) <= {"refused", "same"}
    assert seen.count("refused") >= (12 if name.endswith(".json") else 24)


def test_a_damaged_export_is_refused_or_gives_the_same_vectors(export, tmp_path):
    expected, seen = load_encoder(export)(PICTURES), []
    copy = shutil.copytree(export, tmp_path / "export")
    names = [path.relative_to(export) for path in sorted(export.rglob("*")) if path.is_file()]
    chance = random.Random(0)
    for _ in range(20):
        name = chance.choice([*names, "export.json", "export.json"])
        content = (export / name).read_bytes()
        change = edited if str(name) == "export.json" and chance.random() < 0.8 else damaged
        (copy / name).write_bytes(change(content, chance))
        seen.append(outcome(lambda: load_encoder(copy)(PICTURES), expected))
        (copy / name).write_bytes(content)
    assert set(seen) <= {"refused", "same"}
    assert seen.count("refused") >= 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 7}, r"manifest\.json', 'encoder', 'dim': the network has 6. Received: 7"),
        ({"image_size": [16, 32]}, r"'encoder', 'image_size': the network has \(32, 16\). Received: \(16, 32\)"),
        ({"inputs": {"images": "image"}}, r"'inputs': the network has \['image'\]. Received: \['images'\]"),
        ({"inputs": {"image": "pixels"}}, "'encoder': Unknown record field of the input 'image': 'pixels'"),
        ({"distance": "l2"}, "'encoder': Unknown distance: 'l2'"),
        ({"attributes": {"kind": "binary", "groups": []}}, "'attributes': the network has 30. Received: 0"),
        ({"attributes": {"kind": "binary"}}, "'attributes' lacks the field 'groups'"),
        ({"attributes": {"kind": "none", "groups": []}}, "Unknown kind of attribute outputs: 'none'"),
        ({"image_size": [0, 16]}, "'image_size' and 'dim' are at least 1"),
        ({"flip": "yes"}, "'encoder', 'flip' must be true or false. Received: 'yes'"),
    ],
)
def test_a_field_that_is_not_the_networks_is_named(run, tmp_path, change, message):
    """In a run of version 0.1.0 too, which has neither checksums nor a fingerprint."""
    copy = shutil.copytree(run, tmp_path / "run")
    encoder = json.loads((run / "manifest.json").read_text())["encoder"]
    write_json(copy / "manifest.json", {"encoder": {**encoder, "fingerprint": None, **change}})
    with pytest.raises(InputError, match=message):
        load_encoder(copy)


def test_a_field_that_is_not_the_fingerprints_is_named(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["encoder"]["flip"] = False
    write_json(copy / "manifest.json", manifest)
    with pytest.raises(InputError, match="'encoder': 'flip' is True in the encoder's fingerprint. Received: False"):
        load_encoder(copy)


def test_files_of_another_run_are_named(run, tmp_path):
    """Sound ones: only the manifest knows that they are not the run's."""
    copy = shutil.copytree(run, tmp_path / "run")
    attribute_encoder().model.save(copy / "encoder.keras")
    attribute_encoder().model.save(copy / "verifier.keras")
    for opened in (load_encoder, load_verifier, lambda folder: load_model(folder / "encoder.keras")):
        with pytest.raises(
            InputError, match=r"er\.keras' is not the file that was written: '.*manifest\.json' gives its"
        ):
            opened(copy)


def test_the_calibration_of_another_encoder_is_named(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    for encoder in (attribute_encoder(flip=True), attribute_encoder()):
        Calibration("cosine", 0.1, 0.01, 30.0, 1.5, encoder=encoder.fingerprint).save(copy / "calibration.json")
        if encoder.flip:
            assert load_encoder(copy).calibration.encoder == encoder.fingerprint
    with pytest.raises(InputError, match=r"The calibration '.*calibration\.json' and the run .* that differ in flip"):
        load_encoder(copy)


def test_a_file_that_an_export_lacks_is_named(export, tmp_path):
    copy = shutil.copytree(export, tmp_path / "export")
    name = next(iter(json.loads((copy / "export.json").read_text())["checksums"]))
    (copy / name).unlink()
    with pytest.raises(InputError, match=rf"{name}' cannot be read, and '.*export\.json' names it: No such file"):
        load_encoder(copy)
