"""One model of a server that speaks TensorFlow Serving's REST interface; no TensorFlow on this side."""

import json
import re
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError
from urllib3.util import Retry

from reid_tf.errors import InputError, one_line
from reid_tf.options import whole_number

# Too many requests, and a server or a proxy before it that is busy or not ready: they pass.
_PASSING = (429, 502, 503, 504)


class ServerError(InputError):
    """A server is not there, or does not answer as a model of this package does."""


class ServerUnavailableError(ServerError):
    """A server is not there, does not answer in time, or is busy: another one, or the same later, may answer."""


class RestModel:
    """Asks a server about one model and for its answers, over one connection that is kept open.

    Args:
        url: str. The server: "http://localhost:8501".
        model_name: str. The name it serves the model under.
        version: int, or None for the one that the server prefers, its latest.
        timeout_s: float. Seconds that one attempt may take.
        retries: int. How often a request is repeated that met no server, a broken
            connection, a timeout or one of the statuses 429, 502, 503 and 504, with
            growing pauses.

    Raises:
        InputError: the URL is not the URL of a server, or a number is out of range.
    """

    def __init__(self, url: str, model_name: str, version: int | None, timeout_s: float, retries: int) -> None:
        if not re.match(r"https?://[^/]", url):
            raise InputError(f"A server's URL must begin with 'http://' or 'https://' and a host. Received: {url!r}.")
        if not timeout_s > 0:
            raise InputError(f"timeout_s must be positive. Received: timeout_s={timeout_s}.")
        retries = whole_number("retries", retries, least=0)
        at = f"/versions/{version}" if version is not None else ""
        self.model_name = model_name
        self.url = f"{url.rstrip('/')}/v1/models/{model_name}{at}"
        self._timeout_s, self._session = timeout_s, requests.Session()
        retry = Retry(
            retries,
            status_forcelist=_PASSING,
            allowed_methods=("GET", "POST"),  # to ask a model twice does no harm
            backoff_factor=0.2,
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def get(self, what: str = "") -> dict[str, Any]:
        """Returns what the server says of the model: its status, or with "/metadata" its signatures.

        Args:
            what: str. Follows the model's address.

        Returns:
            The JSON object of the answer.

        Raises:
            ServerError: there is no server, no such model, or no proper answer.
        """
        return self._request("GET", self.url + what)

    def states(self) -> dict[int, str]:
        """Returns the state of each of the model's versions: "AVAILABLE", "LOADING", "END", ...

        Raises:
            ServerError: there is no server, no such model, or no proper answer.
        """
        answer = self.get()
        try:
            return {int(entry["version"]): entry["state"] for entry in answer["model_version_status"]}
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(f"{self.url!r} answered without the state of a model. Received: {answer}.") from error

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Runs a signature of the model.

        Args:
            signature: str. Its name.
            inputs: mapping from input to JSON values, the first axis of each being the
                batch.

        Returns:
            dict from output to its JSON value; rows that the model refuses are NaN,
            which such servers write as the bare word: Python's own JSON reads it,
            stricter ones do not.

        Raises:
            ServerError: there is no server, no such model, or no proper answer, or the
                server says that the request is wrong as a whole.
        """
        url = f"{self.url}:predict"
        answer = self._request("POST", url, {"signature_name": signature, "inputs": inputs})
        if "outputs" not in answer:
            raise ServerError(f"{url!r} answered without 'outputs'. Received: {sorted(answer)}.")
        outputs = answer["outputs"]
        if not isinstance(outputs, dict) or "error" not in outputs:  # a single output comes without its name
            given = sorted(outputs) if isinstance(outputs, dict) else "one without a name"
            raise ServerError(f"{url!r} must answer with an output 'error'. Received: {given}.")
        return outputs

    def signature(self, name: str) -> dict[str, Any]:
        """What the server says of a signature.

        Args:
            name: str. Its name.

        Returns:
            dict with its "inputs" and "outputs".

        Raises:
            InputError: the model has none of this name.
            ServerError: there is no server, no such model, or no proper answer.
        """
        answer = self.get("/metadata")
        try:
            signatures = answer["metadata"]["signature_def"]["signature_def"]
        except (KeyError, TypeError) as error:
            raise ServerError(f"{self.url!r} answered without signatures. Received: {sorted(answer)}.") from error
        if name not in signatures:
            known = sorted(key for key in signatures if not key.startswith("__"))
            raise InputError(f"The model {self.model_name!r} has the signatures {known}. Received: {name!r}.")
        return signatures[name]

    def close(self) -> None:
        """Closes the connection; a later request opens a new one."""
        self._session.close()

    def _request(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        text = json.dumps(body) if body else None  # NaN is allowed: a server names the row that has it
        try:
            response = self._session.request(method, url, data=text, headers=headers, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise ServerUnavailableError(self._not_reached(error)) from error
        if response.status_code == 400:
            raise ServerError(f"The server refused a request to {url!r}: {_reason(response)}.")
        if response.status_code == 404:
            raise ServerError(f"The server has no model {self.model_name!r} at {url!r}: {_reason(response)}.")
        if response.status_code != 200:
            kind = ServerUnavailableError if response.status_code in _PASSING else ServerError
            raise kind(f"{url!r} answered with status {response.status_code}: {_reason(response)}.")
        answer = _json(response)
        if not isinstance(answer, dict):
            raise ServerError(f"{url!r} answered with something other than a JSON object: {_start(response)!r}.")
        return answer

    def _not_reached(self, error: requests.RequestException) -> str:
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
            return f"The server did not answer within {self._timeout_s:g} s at {self.url!r}."
        return f"No server can be reached at {self.url!r}: {one_line(cause or error)}."


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(response.content)  # `response.json()` takes a library that knows no NaN, where it finds one
    except ValueError:
        return None


def _reason(response: requests.Response) -> str:
    """Why a request failed, in the server's words; those of our own graphs without what TensorFlow puts around them."""
    answer = _json(response)
    # Servers escape some errors in a way that is not proper JSON.
    text = str(answer["error"]) if isinstance(answer, dict) and "error" in answer else response.text
    found = re.search(r"assertion failed: \[([^\]]*)\]", text)
    return found.group(1) if found else one_line(ValueError(text)).rstrip(".")


def _start(response: requests.Response) -> str:
    return one_line(ValueError(response.text), 80)
