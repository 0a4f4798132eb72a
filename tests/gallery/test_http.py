import base64

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra [http] is not installed")
from fastapi.testclient import TestClient

from reid_tf.errors import InputError
from reid_tf.gallery import Sighting
from reid_tf.gallery.http import create_app
from tests.gallery.conftest import COLOURS, image


def encoded(*colour):
    _, file = cv2.imencode(".png", image(*colour)[..., ::-1])
    return base64.b64encode(file.tobytes()).decode()


@pytest.fixture
def client(gallery):
    return TestClient(create_app(gallery))


@pytest.fixture
def filled(client):
    images = [
        {"image": encoded(*colour), "path": name, "camera": number, "time": f"2026-05-01T1{number}:00:00Z"}
        for number, (name, colour) in enumerate(COLOURS.items())
    ]
    assert client.post("/v1/add", json={"images": images}).json() == {"added": 5, "known": 0, "refused": {}}
    return client


def paths(answer):
    return [result["path"] for group in answer.json()["groups"] for result in group]


def test_search_add_and_delete(filled):
    assert paths(filled.post("/v1/search", json={"image": encoded(200, 20, 20), "k": 2})) == ["red", "wine"]
    narrowed = {"image": encoded(200, 20, 20), "filters": {"not_camera": [0], "until": "2026-05-01T12:00:00Z"}}
    assert paths(filled.post("/v1/search", json=narrowed)) == ["rose"]
    for wanted in ({"colour": "red"}, "colour=red", "red"):
        assert set(paths(filled.post("/v1/search", json={"attributes": wanted}))) == {"red", "rose", "wine"}
    (group,) = filled.post("/v1/search", json={"vector": [0, 0, 1], "k": 1}).json()["groups"]
    assert (group[0]["camera"], group[0]["time"], group[0]["same"]) == ("4", "2026-05-01T14:00:00+00:00", None)
    assert filled.post("/v1/delete", json={"filters": {"camera": [4]}}).json() == {"deleted": 1}
    assert filled.get("/healthz").json() == {"status": "ok", "rows": 4}


def test_unreadable_images_are_named_and_the_rest_is_added(client):
    broken = base64.b64encode(b"no image").decode()
    images = [{"image": broken, "path": "broken"}, {"image": "%%%"}, {"image": encoded(1, 2, 250)}, {"camera": 1}]
    answer = client.post("/v1/add", json={"images": images}).json()
    assert answer["added"] == 1
    assert "8 bytes of something else" in answer["refused"]["broken"]
    assert "in base64" in answer["refused"]["1"]
    assert "an image or a vector" in answer["refused"]["3"]


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("search", {}, 400, "needs an image, a vector, a person or attributes"),
        ("search", {"k": 0, "vector": [1, 1, 1]}, 422, "The request's k is wrong"),
        ("search", {"vector": [1, 1]}, 400, "of length 3"),
        ("search", {"person": "nobody"}, 400, "The gallery has nobody of this name. Received: person='nobody'."),
        ("search", {"colour": "red"}, 422, "The request's colour is wrong"),
        ("search", {"vector": [1, 1, 1], "filters": {"since": "2026-05-01"}}, 400, "needs its zone"),
        ("search", {"attributes": {"hat": "yes"}}, 400, "'hat'"),
        ("add", {"images": []}, 422, "The request's images is wrong"),
        ("add", {"images": [{"vector": [1, 2]}]}, 400, "of length 3"),
        ("delete", {}, 400, "Say which rows to delete"),
        ("delete", {"filters": {"camera": [0, 1, 2, 3, 4]}}, 400, "delete all 5 rows"),
    ],
)
def test_errors_are_sentences(filled, gallery, path, body, status, sentence):
    answer = filled.post(f"/v1/{path}", json=body)
    assert answer.status_code == status
    (error,) = answer.json().values()
    assert sentence in error
    assert gallery.uri not in error


def test_a_key_is_asked_for(gallery):
    client = TestClient(create_app(gallery, api_key="secret"))
    search = {"vector": [1, 1, 1]}
    assert client.post("/v1/search", json=search).status_code == 401
    assert client.post("/v1/search", json=search, headers={"X-API-Key": "wrong"}).status_code == 401
    assert client.post("/v1/search", json=search, headers={"X-API-Key": "secret"}).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_requests_are_limited(gallery):
    client = TestClient(create_app(gallery, rate="3/hour", most_bytes=1000))
    assert client.post("/v1/search", content=b"x" * 1001).status_code == 413
    assert "at most 1,000 bytes" in client.post("/v1/search", content=b"x" * 1001).json()["error"]
    assert client.post("/v1/search", content=iter([b"x"])).status_code == 411
    answers = [client.post("/v1/search", json={"vector": [1, 1, 1]}).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    with pytest.raises(InputError, match="such as 10/second. Received: 'often'"):
        create_app(gallery, rate="often")


def test_an_image_of_too_many_pixels(client, monkeypatch):
    monkeypatch.setenv("REID_TF_MAX_PIXELS", "100")
    answer = client.post("/v1/search", json={"image": encoded(1, 2, 3)})
    assert answer.status_code == 400
    assert "has 128 pixels, more than the 100 allowed" in answer.json()["error"]


def test_metrics_and_the_own_page(client, gallery):
    gallery.add([Sighting(vector=np.float32([1, 2, 3]))])
    client.post("/v1/search", json={"vector": [1, 1, 1]})
    text = client.get("/metrics").text
    assert 'reid_tf_requests_total{path="/v1/search",status="200"} 1.0' in text
    assert "reid_tf_gallery_rows 1.0" in text
    schema = client.get("/openapi.json").json()
    assert {"/v1/search", "/v1/add", "/v1/delete", "/healthz", "/metrics"} == set(schema["paths"])
    assert client.get("/docs").status_code == 200
