import gc
import weakref

import numpy as np
import tensorflow as tf

from reid_tf.pipeline import sources
from reid_tf.pipeline.decode import load_images


def test_decoded_images_live_as_long_as_an_iterator_needs_them(records, monkeypatch):
    kept = []

    def remember(paths, image_size):
        images = load_images(paths, image_size)
        kept.append(weakref.ref(images))
        return images

    monkeypatch.setattr(sources, "load_images", remember)
    source = sources.image_source([record.path for record in records], (32, 16), "decoded")
    iterator = iter(tf.data.Dataset.range(25).repeat().batch(5).map(source).prefetch(2))
    del source
    gc.collect()
    expected = load_images([record.path for record in records], (32, 16))
    for start in (0, 5, 10):
        np.testing.assert_array_equal(next(iterator), expected[start : start + 5])
    del iterator
    gc.collect()
    assert kept[0]() is None


def test_files_and_memory_give_the_same_bytes(records):
    paths = [record.path for record in records]
    indices = tf.constant([3, 0, 24, 3], tf.int64)
    contents = [open(paths[index], "rb").read() for index in indices]  # noqa: SIM115
    for keep in (False, True):
        assert sources.encoded_source(paths, keep)(indices).numpy().tolist() == contents
