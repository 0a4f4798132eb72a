import keras
import numpy as np

from reid_tf.layers import AttributeReweighting


def test_equals_the_papers_equations():
    predictions = np.random.default_rng(0).uniform(0, 1, (5, 4)).astype(np.float32)
    layer = AttributeReweighting()
    layer(predictions)
    weights = [np.random.default_rng(1).normal(size=w.shape).astype(np.float32) for w in layer.get_weights()]
    layer.set_weights(weights)
    matrix, offset = weights
    expected = predictions / (1 + np.exp(-(predictions @ matrix + offset)))
    np.testing.assert_allclose(layer(predictions), expected, rtol=1e-5)


def test_an_attribute_that_is_not_predicted_stays_out():
    assert not np.any(AttributeReweighting()(np.zeros((2, 3), np.float32)))


def test_saved_and_loaded(tmp_path):
    image = keras.Input((3,))
    model = keras.Model(image, AttributeReweighting(dtype="float32")(image))
    model.save(tmp_path / "m.keras")
    values = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(values), model(values), rtol=1e-6)
