import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.retrieval.junk import junk_scores, write_junk_scores


def test_an_unsure_model_scores_low():
    # Groups of 2 and 4 classes: certain, and with no idea.
    scores = junk_scores([[1, 0, 0, 0, 1, 0], [0.5, 0.5, 0.25, 0.25, 0.25, 0.25]])
    np.testing.assert_allclose(scores, [2, 1 / 2 + 1 / 4])
    assert scores.dtype == np.float32


def test_writes_likely_junk_first(tmp_path):
    write_junk_scores(tmp_path / "new" / "junk.csv", ["b.jpg", "c.jpg", "a.jpg"], np.array([1.5, 0.25, 1.5]))
    assert (tmp_path / "new" / "junk.csv").read_bytes() == (
        b"image,score\nc.jpg,0.250000\na.jpg,1.500000\nb.jpg,1.500000\n"
    )


def test_names_and_scores_belong_together(tmp_path):
    with pytest.raises(InputError, match="Received: 1 names, 2 scores"):
        write_junk_scores(tmp_path / "junk.csv", ["a.jpg"], np.zeros(2))
    assert not list(tmp_path.iterdir())
