import json

import cv2
import pandas as pd
import pytest

from reid_tf.config import load_config, save_config
from tests.commands.made_run import colour_encoder, plain_encoder, write_image, write_run


@pytest.fixture
def folders(tmp_path):
    """Two runs, and two tables of people in clothes of one colour: twelve of them, and three."""
    for name, people in (("many", 12), ("few", 3)):
        lines = ["path,identity,camera,split"]
        for person in range(people):
            for camera, split in ((1, "query"), (2, "gallery"), (1, "train")):
                file = f"{person}-{split}.png"
                write_image(tmp_path / name / file, 20 * person, 255 - 20 * person, 7 * person + 20 * camera)
                lines.append(f"{file},{person + 1},{camera},{split}")
        (tmp_path / name / "records.csv").write_text("\n".join(lines) + "\n")
    write_run(tmp_path / "colour", colour_encoder(), tmp_path / "many")
    write_run(tmp_path / "plain", plain_encoder(), tmp_path / "many")
    return tmp_path


def compare(run, folders, *more, datasets=("many",)):
    named = [part for name in datasets for part in ("--dataset", f"csv_table={folders / name}")]
    return run("compare", folders / "colour", folders / "plain", *named, "--out", folders / "out", *more)


def test_a_matrix_with_tests_and_speeds(run, folders):
    result = compare(run, folders)
    assert result.returncode == 0, result.stderr
    text = (folders / "out" / "comparison.md").read_text()
    assert text.strip() in result.stdout
    assert "| rank-1 / mAP, %, with 95 % intervals " in text
    assert f"- csv_table: {folders / 'plain'} is better than {folders / 'colour'} on " in text
    assert "ms a call of one image |" in text
    table = pd.read_csv(folders / "out" / "comparison.csv")
    assert table.encoder.to_list() == [str(folders / "colour"), str(folders / "plain")]
    assert (table.mAP_low <= table.mAP).all()
    assert (table.mAP <= table.mAP_high).all()
    assert (table.images_per_second > 0).all()
    (test,) = json.loads((folders / "out" / "comparison.json").read_text())["tests"]
    assert 0 < test["p_value"] <= 1
    assert cv2.imread(str(folders / "out" / "comparison.png")).std() > 0


def test_of_few_people_there_are_no_intervals(run, folders):
    result = compare(run, folders, datasets=("few",))
    assert result.returncode == 0, result.stderr
    assert "is better than" not in result.stdout
    assert pd.read_csv(folders / "out" / "comparison.csv").mAP_low.isna().all()


def test_other_protocols_need_a_choice(run, folders):
    config = folders / "plain" / "config.yaml"
    save_config(load_config(config, ["evaluation.protocol=single_camera"]), config)
    result = compare(run, folders)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "choose it with --protocol. Received: " in result.stderr
    assert "plain' single_camera." in result.stderr
    assert not (folders / "out").exists()
    assert compare(run, folders, "--protocol", "market1501").returncode == 0


def test_one_data_set_twice_is_refused(run, folders):
    result = compare(run, folders, datasets=("many", "few"))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "on ['csv_table', 'csv_table']" in result.stderr


def test_one_run_twice_is_refused(run, folders):
    result = run("compare", "a", "a", "--dataset", "synthetic", "--out", folders / "out")
    assert "Every run is compared once. Received: a a." in result.stderr
