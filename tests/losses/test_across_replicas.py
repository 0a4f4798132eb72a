import keras
import numpy as np
import pytest

from reid_tf.losses import CircleLoss, TripletLoss
from reid_tf.losses.across_replicas import AcrossReplicas, compares_images
from reid_tf.losses.cosine_margin import ArcFaceLoss


@pytest.mark.parametrize("loss", [TripletLoss(margin="soft"), CircleLoss()], ids=["triplet", "circle"])
def test_on_one_replica_it_is_the_loss_itself(loss):
    random = np.random.default_rng(0)
    identities, embeddings = np.arange(8) // 2, random.normal(size=(8, 5)).astype(np.float32)
    across = AcrossReplicas(loss)
    assert (across.name, across.reduction, across.label) == (loss.name, loss.reduction, loss.label)
    np.testing.assert_allclose(across.call(identities, embeddings), loss.call(identities, embeddings))


def test_it_is_saved_with_its_loss():
    across = AcrossReplicas(TripletLoss(margin=0.3))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(across))
    assert isinstance(again, AcrossReplicas)
    assert again.loss.get_config() == across.loss.get_config()


def test_which_losses_compare_images():
    assert compares_images(TripletLoss())
    assert not compares_images(ArcFaceLoss())
    assert not compares_images(keras.losses.MeanSquaredError())
