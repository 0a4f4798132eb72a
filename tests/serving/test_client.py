import base64
import importlib
import json
import re
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests

import reid_tf.serving
from reid_tf.errors import InputError
from reid_tf.serving import Client, ServerError
from reid_tf.serving.signatures import save_serving_module
from tests.serving.request_images import drawn, encode


@pytest.fixture
def client(server_url):
    made = Client(server_url, batch_size=2)
    yield made
    made.close()


def answer(embedding, error=None):
    return 200, json.dumps({"outputs": {"embedding": embedding, "error": error or [""] * len(embedding)}})


def refusal(reason):
    return 400, json.dumps({"error": reason})


def assert_close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_paths_bytes_and_arrays_give_the_encoders_embeddings(client, make_encoder, image_files, encoded):
    expected = make_encoder()(image_files)
    vectors = client.embed(image_files)
    assert (vectors.dtype, vectors.shape) == (np.float32, (5, 6))
    assert_close(vectors, expected)
    assert_close(client.embed(encoded), expected)
    arrays = [drawn(seed, 50, 20 + seed) for seed in range(3)]
    assert_close(client.embed([Path(image_files[0]), *arrays]), np.vstack([expected[:1], make_encoder()(arrays)]))


def test_verification_and_attributes(client, make_encoder, calibration, image_files):
    answer = client.verify(image_files, [image_files[0]] * 5)
    unit = make_encoder()(image_files)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    np.testing.assert_allclose(answer.distance, 1 - unit @ unit[0], atol=1e-5)
    np.testing.assert_array_equal(answer.same, answer.distance <= calibration.threshold)
    assert answer.same[0]
    assert answer.probability.dtype == np.float32
    assert ((answer.probability > 0) & (answer.probability < 1)).all()
    assert client.attributes(image_files).shape == (5, 30)


def test_no_images_at_all(client):
    assert client.embed([]).shape == (0, 6)
    assert client.attributes([]).shape == (0, 30)
    answer = client.verify([], [])
    assert (answer.probability.shape, answer.distance.shape, answer.same.shape) == ((0,), (0,), (0,))
    assert answer.same.dtype == bool


@pytest.fixture
def mixed(image_files, tmp_path):
    """Seven images of which four are bad, three of them to the server and one to the client."""
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    (tmp_path / "cut.jpg").write_bytes(Path(image_files[0]).read_bytes()[:-300])
    big = encode(drawn(0, 500, 400), ".png")  # more pixels than this export allows
    bad = [str(tmp_path / "page.jpg"), str(tmp_path / "cut.jpg"), str(tmp_path / "none.jpg"), big]
    return [image_files[0], bad[0], image_files[1], bad[1], bad[2], bad[3], image_files[2]]


def test_bad_images_are_named_and_the_good_ones_get_through(client, make_encoder, image_files, mixed, caplog):
    with pytest.raises(InputError) as error:
        client.embed(mixed)
    text = str(error.value)
    assert text.startswith("4 of 7 were refused, by position: 1 ('")
    for said in [
        r"1 \('\S+page.jpg'\): is neither JPEG nor PNG; it begins with: <html>;",
        r"3 \('\S+cut.jpg'\): is not a valid JPEG or PNG \(\d+ bytes\);",
        r"4 \('\S+none.jpg'\): cannot be read: No such file or directory;",
        r"5: has 200000 pixels, more than the 100000 allowed\.$",
    ]:
        assert re.search(said, text)
    vectors = client.embed(mixed, on_error="nan")
    good = [0, 2, 6]
    assert_close(vectors[good], make_encoder()(image_files[:3]))
    assert np.isnan(np.delete(vectors, good, axis=0)).all()
    assert "4 of 7 were refused" in caplog.text
    pairs = client.verify(mixed, mixed[::-1], on_error="nan")
    assert np.isnan(pairs.distance).tolist() == [False, True, True, True, True, True, False]
    assert pairs.same[1:6].tolist() == [False] * 5
    with pytest.raises(
        InputError, match=r"none.jpg'\): image_b cannot be read: .*; 1: image_a is .* a; image_b has 200"
    ):
        client.verify([image_files[0], b"a"], mixed[4:6])


def test_nothing_but_bad_images(client):
    assert np.isnan(client.embed([b"a", b"b", b"c"], on_error="nan")).tolist() == [[True] * 6] * 3
    answer = client.verify([b"a"], [b"b"], on_error="nan")
    assert np.isnan(answer.probability).all()
    assert not answer.same.any()


def test_arrays_that_are_no_images(client):
    with pytest.raises(InputError, match=r"0: must be an array uint8 \[height, width, 3\], and is float64 \[2, 2, 3\]"):
        client.embed([np.zeros((2, 2, 3))])
    with pytest.raises(InputError, match=r"and is uint8 \[4, 4\]"):
        client.embed([np.zeros((4, 4), np.uint8)])


def test_landmarks_go_with_their_images(pose_encoder, pose_module, serve, image_files, tmp_path):
    save_serving_module(pose_module, tmp_path / "4")
    client, landmarks = Client(serve(tmp_path), version=4, batch_size=2), np.full((5, 18, 3), 0.5)
    landmarks[:, :, :2] = np.random.default_rng(0).uniform(0.2, 0.8, (5, 18, 2))
    assert_close(client.embed(image_files, landmarks), pose_encoder(image_files, landmarks=landmarks))
    landmarks[1] += 40
    landmarks[3, 0, 0] = np.nan
    with pytest.raises(
        InputError, match=r"2 of 5 were refused, by position: 1 \(\S+\): has landmarks that are not finite.*; 3 \("
    ):
        client.embed(image_files, landmarks)
    with pytest.raises(ServerError, match=r"refused a request to '\S+': Missing named input: landmarks"):
        client.embed(image_files)
    with pytest.raises(InputError, match=r"equally many of each. Received: \{'image': 5, 'landmarks': 4\}"):
        client.embed(image_files, landmarks[:4])
    with pytest.raises(
        ServerError, match=r"refused a request to '\S+': Serving signature name: \"attributes\" not found"
    ):
        client.attributes(image_files)
    with pytest.raises(InputError, match=r"signatures \['embed_image', .*, 'verify'\]. Received: 'attributes'"):
        client.attributes([])


def test_status_and_metadata(client, server_url):
    assert client.status() == {1: "AVAILABLE"}
    assert client.metadata()["model_spec"] == {"name": "reid", "signature_name": "", "version": "1"}
    client.wait_until_ready(5)
    with pytest.raises(ServerError, match="not ready within 0.1 s: No server can be reached at 'http://127.0.0.1:9"):
        Client("http://127.0.0.1:9").wait_until_ready(0.1)


def test_a_busy_server_is_asked_again(scripted):
    url, asked = scripted((503, "busy"), (429, "{}"), answer([[1.0, 2.0]]))
    np.testing.assert_array_equal(Client(url).embed([b"image"]), [[1, 2]])
    assert len(asked) == 3
    url, asked = scripted((503, '{"error": "full"}'))
    with pytest.raises(ServerError, match=r"answered with status 503: full"):
        Client(url, retries=1).embed([b"image"])
    assert len(asked) == 2


def test_what_is_sent(scripted):
    url, asked = scripted(answer([[1.0], [2.0]]), answer([[3.0]]))
    Client(url + "/", model_name="other", version=7, batch_size=2).embed([b"a", b"b", b"c"])
    values = [{"b64": base64.b64encode(image).decode()} for image in (b"a", b"b", b"c")]
    assert asked == [
        ("/v1/models/other/versions/7:predict", {"signature_name": "serving_default", "inputs": {"image": sent}})
        for sent in (values[:2], values[2:])
    ]


def test_one_request_says_which_images_are_bad(scripted):
    said = answer([[1.0], [float("nan")], [3.0]], ["", "is bad", ""])
    assert "[NaN]" in said[1]  # no JSON by the book, but what such servers write
    url, asked = scripted(said)
    np.testing.assert_array_equal(Client(url).embed([b"a", b"b", b"c"], on_error="nan"), [[1], [np.nan], [3]])
    with pytest.raises(InputError, match=r"^1 of 3 were refused, by position: 1: is bad\.$"):
        Client(url).embed([b"a", b"b", b"c"])
    assert len(asked) == 2


def test_a_request_that_is_wrong_as_a_whole(scripted):
    # What a server writes need not be JSON: it escapes apostrophes.
    text = r"""{ "error": "2 root error(s) found.\n  (0) assertion failed: [images aren\'t as many]\n\t [[{{node" }"""
    url, asked = scripted((400, text))
    with pytest.raises(
        ServerError, match=r"^The server refused a request to 'http\S+:predict': images aren.+ as many\.$"
    ):
        Client(url).embed([b"a"], on_error="nan")
    assert len(asked) == 1


def test_what_is_wrong_with_a_server_is_said_in_a_sentence(server_url, scripted, image_files):
    with pytest.raises(ServerError, match=r"^No server can be reached at 'http://127.0.0.1:9/v1/models/reid"):
        Client("http://127.0.0.1:9", retries=0).embed(image_files)
    with pytest.raises(ServerError, match=r"has no model 'dogs' at '\S+/v1/models/dogs:predict': Servable not found"):
        Client(server_url, model_name="dogs").embed(image_files)
    with pytest.raises(ServerError, match=r"has no model 'reid' at '\S+/versions/3': Servable not found"):
        Client(server_url, version=3).status()
    with pytest.raises(ServerError, match=r"other than a JSON object: '<html>hello</html>'"):
        Client(scripted((200, "<html>hello</html>"))[0]).embed(image_files)
    with pytest.raises(ServerError, match=r"without 'outputs'. Received: \['predictions'\]"):
        Client(scripted((200, '{"predictions": []}'))[0]).embed(image_files)
    with pytest.raises(ServerError, match=r"The server's 'embedding' must have shape \[5, 1\]. Received: \[2, 1\]"):
        Client(scripted(answer([[1.0], [2.0]]))[0]).embed(image_files)
    with pytest.raises(ServerError, match=r"The server's 'error' must have shape \[1\]. Received: \[2\]"):
        Client(scripted(answer([[1.0]], ["", ""]))[0]).embed(image_files[:1])
    with pytest.raises(ServerError, match=r"must answer with an output 'error'. Received: one without a name"):
        Client(scripted((200, '{"outputs": [[1.0]]}'))[0]).embed(image_files[:1])


def test_a_server_that_does_not_answer_in_time():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:  # listens, and does not serve
        url = f"http://127.0.0.1:{silent.server_port}"
        for retries in (0, 1):
            with pytest.raises(ServerError, match=r"did not answer within 0.2 s at 'http://127.0.0.1:\d+/v1"):
                Client(url, timeout_s=0.2, retries=retries).embed([b"image"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:8501"}, "must begin with 'http://' or 'https://' and a host. Received: 'localhost:8501'"),
        ({"timeout_s": 0}, "timeout_s must be positive. Received: timeout_s=0"),
        ({"retries": -1}, "retries must be a whole number of at least 0. Received: retries=-1"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1. Received: batch_size=0"),
    ],
)
def test_options_that_are_wrong(options, message):
    with pytest.raises(InputError, match=message):
        Client(**options)
    with pytest.raises(InputError, match="on_error must be 'raise' or 'nan'. Received: on_error='ignore'"):
        Client().embed([], on_error="ignore")


def test_the_server_answers_in_rows_too_and_goes_on_after_errors(server_url, encoded, client):
    at = f"{server_url}/v1/models/reid"
    images = [{"b64": base64.b64encode(image).decode()} for image in encoded[:2]]
    rows = requests.post(f"{at}:predict", json={"instances": images}).json()["predictions"]
    assert [row["error"] for row in rows] == ["", ""]
    assert_close(np.float32([row["embedding"] for row in rows]), client.embed(encoded[:2]))
    pair = {"image_a": images[0], "image_b": images[1]}
    answer = requests.post(f"{at}/versions/1:predict", json={"signature_name": "verify", "instances": [pair]}).json()
    assert sorted(answer["predictions"][0]) == ["distance", "error", "probability", "same", "threshold"]
    for body, said in [
        ("{", "JSON Parse error"),
        ("[]", "Is not object"),
        ("{}", "exactly one of 'inputs' and 'instances'"),
        ('{"inputs": {"picture": []}}', "Missing named input: image"),
        ('{"inputs": {"image": [3]}}', "not of expected type: string"),
        ('{"inputs": {"image": [{"b64": "?"}]}}', "not of expected type"),
        ('{"instances": []}', "a list with values"),
        ('{"signature_name": "none", "inputs": []}', 'Serving signature name: "none" not found'),
    ]:
        refused = requests.post(f"{at}:predict", data=body)
        assert refused.status_code == 400
        assert said in refused.json()["error"]
    assert requests.get(f"{server_url}/v1/models/dogs").status_code == 404
    assert requests.get(f"{server_url}/v2").status_code == 400
    assert client.embed(encoded[:1]).shape == (1, 6)


@pytest.mark.parametrize("name", sorted(reid_tf.serving._HOMES))
def test_public_names_are_the_rooms_own(name):
    home = importlib.import_module(reid_tf.serving._HOMES[name])
    assert getattr(reid_tf.serving, name) is getattr(home, name)
    assert name in dir(reid_tf.serving)


def test_the_client_needs_neither_tensorflow_nor_keras():
    code = (
        "import sys; from reid_tf.serving import Client; Client()\n"
        "assert not {'tensorflow', 'tensorflow_serving', 'keras'} & set(sys.modules), 'loaded'"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_one_image_is_no_sequence(server_url, image_files):
    with pytest.raises(InputError, match="image must be a sequence of images. Received: one "):
        Client(server_url).embed(image_files[0])


PNG = {"b64": base64.b64encode(encode(drawn(0, 20, 10), ".png")).decode()}
MALFORMED = [
    *("", "{", "null", "[]", "3", '"a"', "\xff", "[" * 100_000, '{"inputs": {"image": [' + "[" * 50_000, "NaN"),
    *({}, {"inputs": None}, {"inputs": {}}, {"inputs": {"images": []}}, {"inputs": [PNG], "instances": [PNG]}),
    *({"instances": []}, {"instances": PNG}, {"instances": None}, {"instances": [None]}, {"instances": [{"a": 1}]}),
    *({"instances": [{"image": 3}]}, {"inputs": 3}, {"inputs": [3]}, {"inputs": [None]}, {"inputs": [True]}),
    *({"inputs": [[PNG]]}, {"inputs": [PNG, [PNG]]}, {"inputs": [[PNG], [PNG, PNG]]}, {"inputs": PNG}),
    *(
        {"inputs": [{"b64": "***"}]},
        {"inputs": [{"b64": 3}]},
        {"inputs": [{"b64": "é"}]},
        {"inputs": [{"b64": "a", "c": 1}]},
    ),
    *({"inputs": [PNG], "signature_name": name} for name in (None, 3, [], {}, "none", "embed_image", "verify")),
    *(
        {"signature_name": "verify", "inputs": values}
        for values in ({"image_a": [PNG]}, {"image_a": PNG, "image_b": 1})
    ),
    {"signature_name": "verify", "inputs": {"image_a": [PNG], "image_b": [PNG, PNG]}},
    *(
        {"signature_name": "embed_image", "inputs": values}
        for values in (
            *([], [1], [[[1, 2, 3]]], [[[[1, 2]]]], [[[[1, 2, 3], [1, 2]]]], [[[[1, 2, 256]]]], [[[[1, 2, -1]]]]),
            *([[[[1, 2, 2.5]]]], [[[["a", "b", "c"]]]], [[[[1, 2, None]]]], [[[[1, 2, 10**30]]]], [[[[1, 2, True]]]]),
        )
    ),
]


@pytest.mark.parametrize("request_", MALFORMED, ids=lambda value: repr(value)[:60])
def test_malformed_requests_are_the_callers_fault(server_url, request_):
    body = request_.encode("latin-1") if isinstance(request_, str) else json.dumps(request_).encode()
    answer = requests.post(f"{server_url}/v1/models/reid:predict", data=body, timeout=60)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize("length", ["-1", "a", "1_0", "", "9" * 30, "²"])
def test_a_body_of_no_length_is_the_callers_fault(server_url, length):
    host, port = server_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"POST /v1/models/reid:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
