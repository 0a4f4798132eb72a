import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

from reid_tf.config import load_config, save_config
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.splits import held_out
from reid_tf.datasets.summary import data_hash, summarise
from reid_tf.encoder.load import load_encoder
from reid_tf.files import write_json
from reid_tf.models.heads import VerificationHead
from reid_tf.retrieval.calibration import Calibration
from tests.commands.made_run import plain_encoder, write_image, write_run

VALIDATION = {"name": "held_out", "share": 0.6}


def write_people(folder, people, seed):
    """A CSV table of people of a colour each, four images under two cameras; the last four people are the test set."""
    generator = np.random.default_rng(seed)
    lines = ["path,identity,camera,split"]
    for person in range(people):
        colour = generator.uniform(40, 220, 3)
        for image in range(4):
            name = f"{person}_{image}.png"
            write_image(folder / name, *np.clip(colour + generator.normal(0, 25, 3), 0, 255).astype(int).tolist())
            split = "train" if person < people - 4 else ("query" if image == 0 else "gallery")
            lines.append(f"{name},{person},{image % 2},{split}")
    (folder / "records.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_people(folder, 24, seed=0)
    return folder


@pytest.fixture
def directory(tmp_path, data):
    """A run, with a verifier, that held twelve of twenty people out."""
    directory = write_run(tmp_path / "run", plain_encoder(), data)
    verifier = VerificationHead(0).verifier(3)
    verifier.get_layer("verification_classifier").set_weights([np.array([[-1.0, 1.0]] * 3) / 500, np.array([2.0, 0.0])])
    verifier.save(directory / "verifier.keras")
    dataset = load_dataset("csv_table", str(data))
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest |= {"dataset": {"name": "csv_table", **summarise(dataset)}, "data_hash": data_hash(dataset)}
    write_json(directory / "manifest.json", manifest)
    validate(directory, VALIDATION)
    return directory


def validate(directory, validation):
    """Writes another validation split into the run's configuration."""
    config = load_config(directory / "config.yaml")
    evaluation = dataclasses.replace(config.evaluation, validation=validation)
    save_config(dataclasses.replace(config, evaluation=evaluation), directory / "config.yaml")


def naive_distances(directory, data):
    """Cosine distances across cameras of the people whom the run's split does not train on, by a loop."""
    dataset = load_dataset("csv_table", str(data))
    trained = {record.identity for record in held_out(dataset, share=0.6).train}
    assert {record.identity for record in dataset.query}.isdisjoint(trained)
    records = [record for record in dataset.train if record.identity not in trained]
    assert len(records) == 48
    vectors = load_encoder(directory)([record.path for record in records])
    sides = {True: [], False: []}
    for (a, first), (b, second) in itertools.combinations(zip(vectors, records, strict=True), 2):
        if first.camera != second.camera:
            cosine = np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
            sides[first.identity == second.identity].append(1 - cosine)
    return np.array(sides[True]), np.array(sides[False])


def test_the_threshold_is_that_of_a_loop_over_the_people_held_out(run, directory, data):
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    result = run("calibrate", "--run", directory, "--false-accept-rate", 0.05)
    assert result.returncode == 0, result.stderr
    calibration = Calibration.load(directory / "calibration.json")
    genuine, impostor = naive_distances(directory, data)
    assert (len(genuine), len(impostor)) == (48, 528)
    assert np.mean(calibration.same(impostor)) == 26 / 528  # 27 would be more than 0.05
    compared = calibration.figures["compared"]
    assert np.mean(calibration.same(genuine)) == compared["cosine distance"]["true_accept_rate"] > 0.1
    assert calibration.probability(genuine).mean() > 0.5 > calibration.probability(impostor).mean()
    assert compared["cosine distance"]["true_accept_rates"]["0.001"] is None
    assert compared["1 - verifier's probability"]["equal_error_rate"] < 0.4
    assert "48 genuine and 528 impostor pairs (across cameras) of 48 images of 12 people" in result.stdout
    assert "too few pairs" in result.stdout
    assert {path.name for path in (directory / "report").iterdir()} == {"roc.png", "det.png", "calibration.csv"}
    after = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    assert after.pop("calibration.json")
    assert after == before

    result = run("calibrate", "--run", directory, "--false-accept-rate", 0.5, "--pairs", "any")
    assert "(instead of an earlier calibration)" in result.stdout
    again = Calibration.load(directory / "calibration.json")
    assert (again.false_accept_rate, again.figures["genuine_pairs"]) == (0.5, 72)
    assert again.threshold > calibration.threshold


def test_another_data_sets_people(run, directory, tmp_path):
    (tmp_path / "other").mkdir()
    write_people(tmp_path / "other", 12, seed=1)
    arguments = ("--run", directory, "--dataset", "csv_table", "--data", tmp_path / "other")
    (directory / "verifier.keras").unlink()  # many models have none
    result = run("calibrate", *arguments, "--false-accept-rate", 0.25)
    assert result.returncode == 0, result.stderr
    assert "of 16 images of 4 people" in result.stdout
    assert list(Calibration.load(directory / "calibration.json").figures["compared"]) == ["cosine distance"]


@pytest.mark.parametrize(
    ("validation", "arguments", "message"),
    [
        (None, (), "learnt from all training identities .* evaluation.validation.name=held_out, .* Received: .*=None"),
        ({"name": "test"}, (), "learnt from all training identities .* Received: .*'name': 'test'"),
        (VALIDATION, ("--false-accept-rate", 0), "between 0 and 1, both excluded. Received: 0.0"),
        (VALIDATION, (), "fewer than ten of the 528 impostor pairs .* at least 0.019, .* Received: .*=0.001"),
        (VALIDATION, ("--dataset", "csv_table", "--data", "DATA"), "are the test set of the run"),
        (VALIDATION, ("--data", "OTHER"), "not the images that the run .* was trained on, .* Received: .*'images': 32"),
    ],
)
def test_wrong_input_is_one_sentence(run, directory, data, tmp_path, validation, arguments, message):
    validate(directory, validation)
    (tmp_path / "other").mkdir()
    write_people(tmp_path / "other", 12, seed=1)
    arguments = [{"DATA": data, "OTHER": tmp_path / "other"}.get(part, part) for part in arguments]
    result = run("calibrate", "--run", directory, *arguments)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert re.search(message, result.stderr)
    assert not (directory / "calibration.json").exists()
    assert not (directory / "report").exists()


def test_a_run_without_an_encoder(run, directory):
    (directory / "encoder.keras").unlink()
    result = run("calibrate", "--run", directory)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "holds no encoder" in result.stderr
