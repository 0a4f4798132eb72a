import numpy as np
import pytest
import tensorflow as tf

from reid_tf.errors import InputError
from reid_tf.pipeline.augment.augmentation import augment_batch
from reid_tf.registry import AUGMENTATIONS

NEEDED = {"keras_layer": {"layer": "RandomBrightness", "options": {"factor": 0.5}}}


@pytest.fixture(params=AUGMENTATIONS.names())
def augmentation(request):
    return AUGMENTATIONS.build({"name": request.param, **NEEDED.get(request.param, {})}, image_size=(24, 12))


def test_every_augmentation_keeps_the_form_of_a_batch(augmentation, image_batch, apply):
    after = apply(augmentation, image_batch)
    assert set(after) == {"image", "landmarks"}
    for key, value in after.items():
        assert value.shape == image_batch[key].shape
        assert value.dtype == np.float32
    assert after["image"].min() >= 0.0
    assert after["image"].max() <= 255.0
    without = augmentation({"image": image_batch["image"]}, tf.constant([1, 2]))
    assert set(without) == {"image"}
    np.testing.assert_array_equal(without["image"], after["image"])


def test_every_augmentation_follows_its_seed_alone(augmentation, image_batch):
    first, again, other = (
        augmentation(image_batch, tf.constant(seed))["image"].numpy() for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_augmentation_treats_each_image_by_itself(augmentation):
    image = np.random.default_rng(0).integers(0, 256, (24, 12, 3)).astype(np.float32)
    after = augmentation({"image": tf.constant(np.stack([image] * 32))}, tf.constant([1, 2]))["image"].numpy()
    assert len(np.unique(after, axis=0)) > 1


def test_every_augmentation_has_static_shapes_in_a_pipeline(augmentation, image_batch):
    dataset = tf.data.Dataset.from_tensor_slices(image_batch).batch(4)
    dataset = dataset.map(lambda batch: augmentation(batch, tf.constant([1, 2])))
    assert dataset.element_spec["image"].shape == (None, 24, 12, 3)
    assert dataset.element_spec["landmarks"].shape == (None, 18, 3)
    assert [len(batch["image"]) for batch in dataset] == [4, 2]


def test_each_augmentation_of_a_list_has_its_own_seed():
    def add_noise(batch, seed):
        return {"image": batch["image"] + tf.random.stateless_uniform([1], seed)}

    once, twice = (
        augment_batch([add_noise] * n, {"image": tf.zeros([1])}, tf.constant([1, 2]))["image"] for n in (1, 2)
    )
    assert 0.0 < float(once[0]) != pytest.approx(float(twice[0]) / 2)


@pytest.mark.parametrize("name", ["flip", "random_erasing", "colour_jitter"])
@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_a_probability_outside_its_range_is_refused(name, probability):
    with pytest.raises(InputError, match=rf"probability of {name} must lie in \[0, 1\]. Received: {probability}"):
        AUGMENTATIONS.build({"name": name, "probability": probability})
