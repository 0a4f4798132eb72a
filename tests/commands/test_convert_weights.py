"""Converting a file, as a user does it: what is printed, what is written, and the backbone that reads it."""

import keras
import numpy as np
import pytest
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from reid_tf.backbones.weights.caffe_tables import OPENPOSE_COCO
from reid_tf.backbones.weights.load import load_weights
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.encoder.load import load_encoder
from reid_tf.models import openpose
from reid_tf.registry import BACKBONES, DETECTORS, MODELS

NAME = "osnet_x0_25"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A random network in the layout of torchreid's files."""
    keras.utils.set_random_seed(0)
    model = BACKBONES.build({"name": NAME}, image_size=(32, 32))
    generator = np.random.default_rng(0)
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    tensors = {
        row.tensor: generator.normal(0, 1, row.layout.torch_shape(shapes[row.variable])).astype(np.float32)
        for row in TABLES[NAME].rows
    }
    tensors |= {"conv1.bn.num_batches_tracked": np.array(7), "classifier.weight": np.zeros((10, 512), np.float32)}
    tensors["head.weight"] = np.zeros(3, np.float32)
    path = tmp_path_factory.mktemp("published") / "osnet.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in tensors.items()}, path)
    return path, tensors, model


def test_the_last_line_configures_the_backbone(run, published, tmp_path):
    path, tensors, model = published
    out, report = tmp_path / "osnet.weights.h5", tmp_path / "report.txt"
    result = run("convert_weights", "--backbone", NAME, "--weights", path, "--out", out, "--report", report)
    assert result.returncode == 0, result.stderr
    rows = TABLES[NAME].rows
    assert f"{len(rows)} tensors used, 1 unused, 0 missing, 2 left out on purpose (fc.*, classifier.*," in result.stdout
    assert "torchreid's osnet_x0_25; the names without their prefix 'module.'" in result.stdout
    assert "unused: head.weight\n" in result.stdout
    lines = report.read_text().splitlines()
    assert sum(line.startswith("used: ") for line in lines) == len(rows)
    assert "used: conv1.conv.weight (16, 3, 7, 7) -> conv1_conv/kernel" in lines
    assert "left out: classifier.weight (10, 512)" in lines

    component = OmegaConf.to_container(OmegaConf.create(result.stdout.splitlines()[-1]))["backbone"]
    assert component == {"name": NAME, "weights": str(out)}
    load_weights(model, component["weights"])
    variables = {variable.path: np.asarray(variable) for variable in model.weights}
    for row in rows:
        shape = variables[row.variable].shape
        np.testing.assert_array_equal(variables[row.variable], row.layout.convert(tensors[row.tensor], shape))
    assert model.get_layer("preprocessing").standard_deviation == (58.395, 57.12, 57.375)


def test_what_does_not_fit_is_reported_and_not_written(run, published, tmp_path):
    path, *_ = published
    out, report = tmp_path / "resnet50.weights.h5", tmp_path / "report.txt"
    result = run("convert_weights", "--backbone", "resnet50", "--weights", path, "--out", out, "--report", report)
    assert result.returncode == 2
    assert "resnet50: it lacks 265 of the 265 tensors, the first being 'conv1.weight'; it fits " in result.stderr
    assert "missing: conv1.weight\n" in result.stdout
    assert "missing: 255 more\n" in result.stdout
    assert "missing: layer4.2.bn3.running_var\n" in report.read_text()
    assert not out.exists()


@pytest.fixture
def narrow_openpose(monkeypatch):
    """OpenPose's network with a few channels, which the module converts to for this test: its tensors."""
    monkeypatch.setitem(openpose.BACKBONE, "stackwise_channels", (2, 2, 2, 4))
    for option, value in {"width": 2, "feature_channels": (4, 2), "first_stage_width": 4, "affinity_fields": 2}.items():
        monkeypatch.setitem(openpose.MODEL, option, value)
    backbone = BACKBONES.build(openpose.BACKBONE, image_size=(32, 16))
    model = MODELS.build(openpose.MODEL, backbone=backbone).model
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    return {
        row.tensor: np.full(row.layout.torch_shape(shapes[row.variable]), 0.1, np.float32) for row in OPENPOSE_COCO.rows
    }


def test_a_detector_is_written_and_its_line_finds_landmarks(run, narrow_openpose, tmp_path):
    save_file(narrow_openpose | {"Mconv7_stage6_L1.bias": np.zeros(2, np.float32)}, tmp_path / "a.safetensors")
    arguments = ("--detector", "cpm", "--weights", tmp_path / "a.safetensors", "--image-size", "32", "16")
    result = run("convert_weights", *arguments, "--out", tmp_path / "a b.keras")
    assert result.returncode == 0, result.stderr
    assert "170 tensors used, 0 unused, 0 missing, 1 left out on purpose (Mconv?_stage6_L1.*)" in result.stdout
    assert result.stdout.endswith(f"--detector cpm --detector-option 'run={tmp_path}/a b.keras'\n")
    detector = DETECTORS.build({"name": "cpm", "run": str(tmp_path / "a b.keras")})
    assert detector(np.zeros((1, 32, 16, 3), np.uint8), ["a.jpg"]).shape == (1, 18, 3)


def test_options_that_do_not_go_together(run, published, tmp_path):
    path, *_ = published
    arguments = ("--weights", path, "--out", tmp_path / "a.weights.h5")
    result = run("convert_weights", "--backbone", NAME, "--image-size", "32", "16", *arguments)
    assert result.returncode == 2
    assert "belongs to --detector and --encoder. Received: --backbone osnet_x0_25." in result.stderr
    result = run("convert_weights", "--detector", "cpm", *arguments)
    assert result.returncode == 2
    assert "must be named *.keras. Received: " in result.stderr
    assert run("convert_weights", *arguments).returncode == 2


def test_an_encoder_is_opened_as_a_run(run, published, tmp_path):
    path, out = published[0], tmp_path / "encoder"
    command = ("convert_weights", "--encoder", NAME, "--weights", path, "--out", out, "--image-size", "64", "32")
    result = run(*command)
    assert result.returncode == 0, result.stderr
    assert f"reid-tf embed --run {out} --images FOLDER" in result.stdout
    assert load_encoder(out).image_size == (64, 32)
    result = run(*command)
    assert result.returncode == 2
    assert "encoder" in result.stderr
