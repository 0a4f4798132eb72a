import keras
import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.pose.belief_maps import landmarks_of
from reid_tf.registry import BACKBONES, DETECTORS, MODELS

SIZE = (32, 16)


def pose_machine(stages: int = 2) -> keras.Model:
    keras.utils.set_random_seed(0)
    backbone = BACKBONES.build(
        {"name": "vgg_front", "stackwise_num_convolutions": [1, 1], "stackwise_channels": [4, 4]}, image_size=SIZE
    )
    component = {"name": "cpm", "stages": stages, "width": 4, "refinement_convolutions": 1, "refinement_kernel": 3}
    return MODELS.build(component, backbone=backbone).model


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return pose_machine()


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)


def test_a_run_and_its_file_give_the_last_stages_landmarks(model, tmp_path):
    model.save(tmp_path / "model.keras")
    expected = landmarks_of(np.array(model({"image": images(3)})["stage2"]))
    found = [DETECTORS.build({"name": "cpm", "run": str(run)}) for run in (tmp_path, tmp_path / "model.keras")]
    for detector in found:
        landmarks = detector(images(3), ["a.jpg", "b.jpg", "c.jpg"])
        assert (landmarks.shape, landmarks.dtype) == ((3, 18, 3), np.float32)
        np.testing.assert_allclose(landmarks, expected, rtol=1e-4, atol=1e-5)
        assert detector.image_size == SIZE
    assert found[0].description == found[1].description
    assert found[0](images(0), []).shape == (0, 18, 3)


def test_the_last_of_more_than_nine_stages(tmp_path):
    """Alphabetically stage9 is behind stage11."""
    model = pose_machine(stages=11)
    model.get_layer("stage11_beliefs").bias.assign(np.arange(19.0))  # higher than any belief of the others
    model.save(tmp_path / "eleven.keras")
    landmarks = DETECTORS.build({"name": "cpm", "run": str(tmp_path / "eleven.keras")})(images(1), ["a.jpg"])
    assert np.all(landmarks[0, 2:, 2] == 1.0)


def test_other_weights_are_another_detector(model, tmp_path):
    for name, shift in (("a", 0.0), ("b", 0.1)):
        model.get_layer("stage2_beliefs").bias.assign_add(np.full(19, shift))
        model.save(tmp_path / f"{name}.keras")
    first, second = (
        DETECTORS.build({"name": "cpm", "run": str(tmp_path / f"{name}.keras")}).description for name in "ab"
    )
    assert first["name"] == second["name"] == "cpm"
    assert first["sha256"] != second["sha256"]


def test_a_model_in_half_precision_gives_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        pose_machine().save(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    landmarks = DETECTORS.build({"name": "cpm", "run": str(tmp_path)})(images(2), ["a.jpg", "b.jpg"])
    assert landmarks.dtype == np.float32
    assert np.isfinite(landmarks).all()


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no '.*nowhere/model.keras'"):
        DETECTORS.build({"name": "cpm", "run": str(tmp_path / "nowhere")})
    (tmp_path / "broken.keras").write_bytes(b"no model at all")
    with pytest.raises(InputError, match="broken.keras' cannot be opened as a Keras model: "):
        DETECTORS.build({"name": "cpm", "run": str(tmp_path / "broken.keras")})
    image = keras.Input((*SIZE, 3), name="image")
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(image)
    for name, outputs, received in (
        ("named", {"embedding": embedding}, r"\{'embedding': \(None, 3\)\}"),
        ("single", embedding, r"\[\(None, 3\)\]"),
        ("narrow", {"stage1": image}, r"\{'stage1': \(None, 32, 16, 3\)\}"),
    ):
        keras.Model({"image": image}, outputs).save(tmp_path / f"{name}.keras")
        with pytest.raises(InputError, match=rf"{name}.keras' is not a pose machine.*Received: the outputs {received}"):
            DETECTORS.build({"name": "cpm", "run": str(tmp_path / f"{name}.keras")})
