import datetime

import numpy as np
import pytest

from reid_tf.errors import InputError
from reid_tf.gallery import Added, Gallery, Sighting, by_person
from reid_tf.retrieval import Embeddings
from reid_tf.retrieval.calibration import Calibration
from tests.commands.made_run import plain_encoder, write_image
from tests.gallery.conftest import image, names

NOON = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)


def hours(number):
    return NOON + datetime.timedelta(hours=number)


def test_a_folder_is_added_once(gallery, crops):
    assert gallery.add(crops, camera="door", time=NOON) == Added(added=5)
    assert gallery.add(crops, camera="door", time=NOON) == Added(known=5)
    assert len(gallery) == 5
    assert gallery.add(crops, camera="yard", time=NOON).added == 5  # the same images, elsewhere
    assert gallery.add(crops, camera="door", time=hours(1)).added == 5  # and at another time


def test_rows_are_there_after_reopening(tmp_path, encoder, crops):
    with Gallery(tmp_path / "seen", encoder) as gallery:
        gallery.add(crops, camera=7, time="2026-05-01T14:00:00+02:00", person="Ada", note="by the door", quality=0.5)
    with Gallery(tmp_path / "seen") as again:
        assert len(again) == 5
        entry = next(iter(again.entries(person="Ada")))
    assert (entry.camera, entry.time, entry.note, entry.quality) == ("7", NOON, "by the door", 0.5)
    assert entry.attributes["colour"] in ("red", "green", "blue")


def test_what_cannot_be_read_is_named_and_the_rest_is_added(gallery, crops):
    (crops / "broken.png").write_bytes(b"no image")
    added = gallery.add(crops)
    assert added.added == 5
    assert list(added.refused) == [str(crops / "broken.png")]
    assert "broken.png" in added.refused[str(crops / "broken.png")]
    gone = gallery.add([str(crops / "gone.png"), str(crops / "red.png")])
    assert (gone.known, gone.refused) == (
        1,
        {str(crops / "gone.png"): "It cannot be read (No such file or directory)."},
    )


def test_images_in_memory_and_vectors(gallery):
    mixed = [image(200, 0, 0), Sighting(vector=np.float32([0, 3, 0]), path="s3://bucket/7.jpg"), image(200, 0, 0)]
    assert gallery.add(mixed) == Added(added=2, known=1)
    (found,) = gallery.search(vector=np.float32([0, 1, 0]), k=1)
    assert found.entry.path == "s3://bucket/7.jpg"
    assert found.distance == pytest.approx(0, abs=1e-6)
    added = gallery.add([Sighting(vector=np.zeros(3)), Sighting(vector=np.float32([np.nan, 0, 1]))])
    assert added.added == 0
    assert "zero" in added.refused["0"]
    assert "not finite" in added.refused["1"]


def test_embeddings_keep_their_cameras_and_people(gallery, tmp_path, encoder):
    embedded = Embeddings(np.eye(3), [5, -1, 6], [1, 2, -1], ["a", "b", "c"], encoder.fingerprint)
    embedded.save(tmp_path / "some.npz")
    assert gallery.add(tmp_path / "some.npz").added == 3
    assert {entry.path: (entry.person, entry.camera) for entry in gallery.entries()} == {
        "a": ("5", "1"),
        "b": ("", "2"),
        "c": ("6", ""),
    }


def test_a_table_of_images(gallery, crops):
    table = crops / "table.csv"
    table.write_text("path,camera,time,person,quality\nred.png,1,2026-05-01T12:00:00Z,Ada,0.25\nblue.png,2,,,\n")
    assert gallery.add(table, camera="unused", note="from a table").added == 2
    entries = {entry.person: entry for entry in gallery.entries()}
    assert (entries["Ada"].camera, entries["Ada"].time, entries["Ada"].quality) == ("1", NOON, 0.25)
    assert (entries[""].camera, entries[""].time, entries[""].note) == ("2", None, "from a table")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera\n1\n", "needs the column path.* Received: camera in"),
        ("path,colour\na.png,red\n", "Received: path, colour in"),
        ("path,camera\na.png\n", "one cell per column. Received: line 2"),
        ("path,quality\na.png,good\n", "Received: 'good' in line 2"),
        ("path,quality\nred.png,7\n", "between 0 and 1. Received: 7.0"),
        ("path,time\nred.png,2026-05-01T12:00\n", "needs its zone.* Received: 2026-05-01T12:00:00"),
        ("path,time\nred.png,noon\n", "Received: 'noon'"),
    ],
)
def test_wrong_tables(gallery, crops, text, message):
    (crops / "table.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        gallery.add(crops / "table.csv")


def test_searches_and_filters(gallery, crops, tmp_path):
    for number, name in enumerate(("red", "rose", "wine", "green", "blue")):
        gallery.add([crops / f"{name}.png"], camera=number % 2, time=hours(number), person="Ada" if number < 2 else "")
    write_image(tmp_path / "query.png", 200, 20, 20)
    results = gallery.search(tmp_path / "query.png", k=3)
    assert names(results) == ["red", "wine", "rose"]
    assert [result.same for result in results] == [None] * 3
    assert names(gallery.search(image(200, 20, 20), k=2, not_camera=0)) == ["rose", "green"]
    assert names(gallery.search(image(200, 20, 20), camera=[0], since=hours(1))) == ["wine", "blue"]
    assert names(gallery.search(image(200, 20, 20), until="2026-05-01T14:00:00Z")) == ["red", "rose"]
    assert names(gallery.search(image(0, 0, 255), person="Ada", k=1)) == ["rose"]
    assert names(gallery.search(person="Ada", k=1)) == ["wine"]
    assert len(gallery.search(image(200, 20, 20), rerank=True)) == 5
    assert gallery.search(image(200, 20, 20), camera="nowhere") == []


def test_searches_by_words(gallery, crops):
    gallery.add(crops)
    found = gallery.search(attributes="colour=red")
    assert set(names(found)) == {"red", "rose", "wine"}
    probabilities = [result.probability for result in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert names(gallery.search(attributes=["colour=red", "bright=yes"])) == ["rose"]
    assert names(gallery.search(attributes="bright, red")) == ["rose"]
    assert set(names(gallery.search(image(0, 200, 0), attributes="colour=red"))) == {"red", "rose", "wine"}
    with pytest.raises(InputError, match="'hat'"):
        gallery.search(attributes="hat=yes")


def test_answers_are_calibrated(gallery, crops, encoder):
    gallery.add(crops)
    gallery.encoder = encoder.with_options(calibration=Calibration("cosine", 0.01, 0.001, 20.0, 1.0))
    results = gallery.search(image(200, 20, 20))
    assert [result.same for result in results] == [True, True, False, False, False]
    assert results[0].probability == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert results[0].to_dict()["path"].endswith("red.png")


def test_results_of_one_person_are_grouped(gallery, crops):
    gallery.add([crops / "red.png", crops / "blue.png"], person="Ada")
    gallery.add([crops / "wine.png", crops / "green.png"])
    groups = by_person(gallery.search(image(200, 20, 20)))
    assert [names(group) for group in groups] == [["red", "blue"], ["wine"], ["green"]]


def test_deleting(gallery, crops):
    for number, path in enumerate(sorted(crops.iterdir())):
        gallery.add([path], camera=number, time=hours(number), person="Ada" if number == 4 else "")
    assert gallery.delete(until=hours(1)) == 1
    assert gallery.delete(person="Ada") == 1
    assert gallery.delete([entry.id for entry in gallery.entries(camera=1)]) == 1
    assert gallery.delete(["unknown"]) == 0
    with pytest.raises(InputError, match="delete all 2 rows.* Received: everything=False"):
        gallery.delete(camera=[2, 3])
    with pytest.raises(InputError, match="Say which rows to delete"):
        gallery.delete()
    assert gallery.delete(everything=True) == 2
    assert len(gallery) == 0


def test_labels(gallery, crops):
    gallery.add(crops)
    entry = next(iter(gallery.entries()))
    assert gallery.label([entry.id, "unknown"], "Ada") == 1
    assert gallery.get([entry.id, "unknown"])[0].person == "Ada"
    assert len(gallery) == 5


def test_counts_and_files(gallery, crops):
    gallery.add(crops, camera=1, time=NOON, person="Ada")
    gallery.add([Sighting(vector=np.ones(3), path="s3://a")])
    stats = gallery.stats()
    assert (stats["rows"], stats["cameras"], stats["persons"]) == (6, {"": 1, "1": 5}, 1)
    assert stats["first"] == stats["last"] == NOON.isoformat()
    assert gallery.verify() == {}
    (crops / "red.png").unlink()
    write_image(crops / "blue.png", 1, 2, 3)
    wrong = gallery.verify()
    assert "cannot be read" in wrong[str(crops / "red.png")]
    assert "not the image that was added" in wrong[str(crops / "blue.png")]


def test_another_encoder_is_refused_and_can_take_over(gallery, crops, tmp_path, encoder):
    gallery.add(crops, camera=3)
    other = encoder.with_options(normalize=True)
    gallery.close()
    with pytest.raises(InputError, match=r"differ in normalize.* Received: \(weights .*\) and \(weights .*normalize\)"):
        Gallery(tmp_path / "seen", other)
    with Gallery(tmp_path / "seen") as old:
        (crops / "red.png").unlink()
        added = old.reembed(other, tmp_path / "new")
    assert added.added == 4
    assert list(added.refused) == [str(crops / "red.png")]
    with Gallery(tmp_path / "new", other) as new:
        assert {entry.camera for entry in new.entries()} == {"3"}


@pytest.mark.parametrize("distance", ["euclidean", "mean_squared"])
def test_other_distances_are_the_encoders(tmp_path, encoder, distance, crops):
    with Gallery(tmp_path / distance, encoder.with_options(distance=distance)) as gallery:
        gallery.add(crops)
        results = gallery.search(image(200, 20, 20), k=2)
    assert names(results) == ["red", "rose"]
    squared = 40**2 + 2 * 60**2
    assert results[1].distance == pytest.approx(squared**0.5 if distance == "euclidean" else squared / 3, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs an image, a vector, a person or attributes"),
        ({"vector": np.ones(4)}, r"of length 3. Received: shape \[4\]"),
        ({"vector": np.float32([np.nan, 1, 1])}, "finite vector"),
        ({"image": image(1, 2, 3), "vector": np.ones(3)}, "by an image or a vector. Received: both"),
        ({"person": "nobody"}, "nobody of this name. Received: person='nobody'"),
        ({"vector": np.ones(3), "colour": "red"}, "Unknown filter: 'colour'"),
        ({"vector": np.ones(3), "since": "2026-05-01"}, "needs its zone"),
        ({"vector": np.ones(3), "camera": 1.5}, "Received: 1.5"),
        ({"vector": np.ones(3), "camera": "a\nb"}, "no control characters"),
        ({"vector": np.ones(3), "k": 0}, "Received: k=0"),
    ],
)
def test_bad_searches(gallery, options, message):
    with pytest.raises(InputError, match=message):
        gallery.search(**options)


@pytest.mark.parametrize(
    "text", ['"', '" or camera != "', "\\", "' or 1 == 1", 'x"] or id != ""', "é 人 {a}", "%", "a like b"]
)
def test_texts_are_never_read_as_an_expression(gallery, text):
    gallery.add([Sighting(vector=np.float32([1, 0, 0]), camera=text, person=text, path=text)])
    gallery.add([Sighting(vector=np.float32([0, 1, 0]), camera="other")])
    assert [result.entry.camera for result in gallery.search(vector=np.ones(3), camera=text)] == [text]
    assert [entry.camera for entry in gallery.entries(not_camera=text)] == ["other"]
    assert gallery.delete(person=text) == 1


def test_what_is_no_gallery(tmp_path, encoder, gallery):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "holiday.jpg").touch()
    with pytest.raises(InputError, match="or one that is new or empty. Received: .*other"):
        Gallery(tmp_path / "other", encoder)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        Gallery(tmp_path / "file", encoder)
    with pytest.raises(InputError, match="A new gallery needs an encoder. Received: None"):
        Gallery(tmp_path / "new")
    with pytest.raises(InputError, match="vectors of length 3. Received: shape"):
        gallery.add([Sighting(vector=np.ones(5))])
    with pytest.raises(InputError, match="are of encoders that differ"):
        gallery.add(Embeddings(np.ones((1, 3)), [1], [1], (), plain_encoder().fingerprint))


def test_a_newer_version_is_refused(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("reid_tf.gallery.about.VERSION", 2)
    Gallery(tmp_path / "new", encoder).close()
    monkeypatch.undo()
    with pytest.raises(InputError, match="is of version 2; this package reads versions up to 1"):
        Gallery(tmp_path / "new", encoder)
