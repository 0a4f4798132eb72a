"""Converting a file, as a user does it: what is printed, what is written, and the backbone that reads it."""

import keras
import numpy as np
import pytest
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from reid_tf.backbones.weights.load import load_weights
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.registry import BACKBONES

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
