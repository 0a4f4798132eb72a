import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.gallery import Gallery, Sighting
from reid_tf.gallery.exchange import export_gallery, import_gallery
from tests.gallery.conftest import image, names


def everything(gallery):
    return {entry.id: entry for entry in gallery.entries()}


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_a_gallery_moves(gallery, crops, tmp_path, encoder, ending):
    gallery.add(crops, camera='a, "b"', time="2026-05-01T12:00:00Z", person="é", note="n", quality=0.25)
    gallery.add([Sighting(vector=np.float32([1, 2, 3]))])
    assert export_gallery(gallery, tmp_path / f"kept{ending}") == 6
    with Gallery(tmp_path / "moved", encoder) as moved:
        assert import_gallery(moved, tmp_path / f"kept{ending}") == 6
        assert import_gallery(moved, tmp_path / f"kept{ending}") == 6  # the same rows again
        assert everything(moved) == everything(gallery)
        assert names(moved.search(image(0, 0, 255), k=1)) == ["blue"]
        assert set(names(moved.search(attributes="colour=red"))) == {"red", "rose", "wine"}


def test_more_rows_than_are_written_at_once(gallery, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("reid_tf.gallery.exchange.ROWS_AT_ONCE", 7)
    vectors = np.random.default_rng(0).normal(size=(20, 3))
    gallery.add(Sighting(vector=vector) for vector in vectors)
    assert export_gallery(gallery, tmp_path / "kept.parquet") == 20
    with Gallery(tmp_path / "moved", encoder) as moved:
        assert import_gallery(moved, tmp_path / "kept.parquet") == len(moved) == 20


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_an_empty_gallery_moves(gallery, tmp_path, encoder, ending):
    assert export_gallery(gallery, tmp_path / f"kept{ending}") == 0
    assert import_gallery(gallery, tmp_path / f"kept{ending}") == 0


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_of_another_encoder(gallery, tmp_path, encoder, ending):
    export_gallery(gallery, tmp_path / f"kept{ending}")
    with (
        Gallery(tmp_path / "other", encoder.with_options(normalize=True)) as other,
        pytest.raises(InputError, match="are of encoders that differ in normalize"),
    ):
        import_gallery(other, tmp_path / f"kept{ending}")


@pytest.mark.parametrize("ending", [".parquet", ".npz"])
def test_files_that_are_none(gallery, tmp_path, ending):
    with pytest.raises(InputError, match="There is no exported gallery at"):
        import_gallery(gallery, tmp_path / f"none{ending}")
    (tmp_path / f"broken{ending}").write_bytes(b"PAR1 or not")
    with pytest.raises(InputError, match="is not an exported gallery"):
        import_gallery(gallery, tmp_path / f"broken{ending}")
    with pytest.raises(InputError, match="a .parquet or an .npz file. Received: .*kept.txt"):
        export_gallery(gallery, tmp_path / "kept.txt")
