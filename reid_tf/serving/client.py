"""Embeddings and decisions from a server, without TensorFlow: `reid_tf.serving.Client`."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reid_tf.errors import InputError
from reid_tf.options import whole_number
from reid_tf.serving.balanced import BalancedModel
from reid_tf.serving.client_images import ClientImage, called
from reid_tf.serving.rest import RestModel, ServerError
from reid_tf.serving.sending import send

OnError = Literal["raise", "nan"]

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Verification:
    """What a server says of N pairs of images.

    Args:
        probability: float32 [N]. That both show one person: the calibration's, by which
            no pair that is the `same` is less probable than one that is not; for a
            model that is not calibrated, its verifier's.
        distance: float32 [N]. Of their embeddings.
        same: bool [N], whether the calibrated threshold takes them for one person, or
            None for a model that is not calibrated. False where a pair was refused.
        threshold: float32 [N]. The calibrated distance up to which a pair is the same,
            or None as `same`.
    """

    probability: np.ndarray
    distance: np.ndarray
    same: np.ndarray | None
    threshold: np.ndarray | None


class Client:
    """A model of this package on a TensorFlow Serving server.

    Images are paths of JPEG or PNG files, their bytes, or RGB arrays uint8 [height,
    width, 3] of any size; files are sent as they are. The server answers for each image
    or pair by itself: an error names all that are refused, and with `on_error="nan"`
    the others get their answers. A `Client` is not to be shared by threads.

    Args:
        url: str, or a sequence of str. The server; several are asked in turns, and what
            one of them cannot answer goes to the next, see `BalancedModel`.
        model_name: str. The name it serves the model under.
        version: int, or None for the server's latest.
        timeout_s: float. Seconds that one attempt may take.
        retries: int. How often a request is repeated that met no server, a broken
            connection, a timeout or a busy server (429, 502, 503, 504); one that the
            server calls wrong is not.
        batch_size: int. Images, or pairs, in one request; a server that batches has an
            upper limit.

    Raises:
        InputError: the URL or a number is wrong.

    Example:
        >>> client = Client("http://localhost:8501")
        >>> vectors = client.embed(["crops/1.jpg", "crops/2.jpg"])  # float32 [2, dim]
        >>> client.verify(["crops/1.jpg"], ["crops/2.jpg"]).probability
    """

    def __init__(
        self,
        url: str | Sequence[str] = "http://localhost:8501",
        model_name: str = "reid",
        version: int | None = None,
        timeout_s: float = 30.0,
        retries: int = 3,
        batch_size: int = 32,
    ) -> None:
        self._address, self._batch_size = (url, model_name, version), whole_number("batch_size", batch_size)
        self._model = _model(*self._address, timeout_s, retries)

    def embed(
        self, images: Sequence[ClientImage], landmarks: np.ndarray | None = None, on_error: OnError = "raise"
    ) -> np.ndarray:
        """Embeds images.

        Args:
            images: sequence of N images.
            landmarks: float [N, 18, 3] as in `Record.landmarks`, or None; for a model
                that looks at body parts.
            on_error: "raise", or "nan" to give rows of NaN to images that are refused,
                and to log which.

        Returns:
            float32 [N, dim].

        Raises:
            InputError: images or landmarks are refused, each image named with the
                reason.
            ServerError: the server or its model is not there, or it calls the request
                wrong as a whole.
        """
        answer = self._ask("serving_default", {"image": images}, {"landmarks": landmarks}, on_error)
        return answer["embedding"]

    def attributes(
        self, images: Sequence[ClientImage], landmarks: np.ndarray | None = None, on_error: OnError = "raise"
    ) -> np.ndarray:
        """Predicts the attributes of images; what the columns mean is in the export's `export.json`.

        Args:
            images: sequence of N images.
            landmarks: float [N, 18, 3], or None. As in `embed`.
            on_error: "raise" or "nan". As in `embed`.

        Returns:
            float32 [N, columns].

        Raises:
            InputError: as in `embed`.
            ServerError: as in `embed`; the model has no attributes.
        """
        answer = self._ask("attributes", {"image": images}, {"landmarks": landmarks}, on_error)
        return answer["attributes"]

    def verify(
        self,
        images_a: Sequence[ClientImage],
        images_b: Sequence[ClientImage],
        landmarks_a: np.ndarray | None = None,
        landmarks_b: np.ndarray | None = None,
        on_error: OnError = "raise",
    ) -> Verification:
        """Says of pairs of images whether they show one person.

        Args:
            images_a: sequence of N images. The first of each pair.
            images_b: sequence of N images. The second of each pair.
            landmarks_a: float [N, 18, 3], or None. Of the first images, as in `embed`.
            landmarks_b: float [N, 18, 3], or None. Of the second images.
            on_error: "raise" or "nan". As in `embed`.

        Returns:
            `Verification`.

        Raises:
            InputError: the sides differ in number, or as in `embed`, with the side of
                each refused image.
            ServerError: as in `embed`; the model can neither verify nor is it
                calibrated.
        """
        images = {"image_a": images_a, "image_b": images_b}
        landmarks = {"landmarks_a": landmarks_a, "landmarks_b": landmarks_b}
        answer = self._ask("verify", images, landmarks, on_error)
        return Verification(answer["probability"], answer["distance"], answer.get("same"), answer.get("threshold"))

    def status(self) -> dict[int, str]:
        """The state of each of the model's versions: "AVAILABLE", "LOADING", "END", ...

        Raises:
            ServerError: the server or its model is not there.
        """
        return self._model.states()

    def metadata(self) -> dict[str, Any]:
        """What the server knows of the model: its version, and its signatures with their inputs and outputs.

        Raises:
            ServerError: the server or its model is not there.
        """
        return self._model.get("/metadata")

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Returns as soon as the server, of several one, has a version of the model in service.

        Args:
            timeout_s: float. Seconds after which to give up.

        Raises:
            ServerError: it had none in time.
        """
        end = time.monotonic() + timeout_s
        with contextlib.closing(_model(*self._address, timeout_s=1.0, retries=0)) as asking:
            while True:
                try:
                    states = asking.states()
                    problem = f"its versions are {states}"
                except ServerError as error:
                    states, problem = {}, str(error).rstrip(".")
                if "AVAILABLE" in states.values():
                    return
                if time.monotonic() > end:
                    raise ServerError(f"The model was not ready within {timeout_s:g} s: {problem}.")
                time.sleep(0.1)

    def close(self) -> None:
        """Closes the connection; a later call opens a new one."""
        self._model.close()

    def _ask(
        self,
        signature: str,
        images: Mapping[str, Sequence[ClientImage]],
        landmarks: Mapping[str, np.ndarray | None],
        on_error: OnError,
    ) -> dict[str, np.ndarray]:
        if on_error not in ("raise", "nan"):
            raise InputError(f"on_error must be 'raise' or 'nan'. Received: on_error={on_error!r}.")
        for name, values in images.items():
            if isinstance(values, str | bytes | Path):
                raise InputError(f"{name} must be a sequence of images. Received: one {type(values).__name__}.")
        given = {name: np.asarray(values, np.float32) for name, values in landmarks.items() if values is not None}
        numbers = {name: len(values) for group in (images, given) for name, values in group.items()}
        if len(set(numbers.values())) > 1:
            raise InputError(f"There must be equally many of each. Received: {numbers}.")
        answers = send(self._model, signature, images, given, self._batch_size)
        if answers.refused:
            named = [
                f"{called(position, [values[position] for values in images.values()])}: {reason}"
                for position, reason in sorted(answers.refused.items())
            ]
            message = f"{len(answers.refused)} of {answers.count} were refused, by position: {'; '.join(named)}."
            if on_error == "raise":
                raise InputError(message)
            _LOG.warning("%s", message)
        if not answers.outputs:
            answers.add_blank(self._model.signature(signature))
        return answers.outputs


def _model(
    url: str | Sequence[str], model_name: str, version: int | None, timeout_s: float, retries: int
) -> RestModel | BalancedModel:
    if isinstance(url, str):
        return RestModel(url, model_name, version, timeout_s, retries)
    return BalancedModel(url, model_name, version, timeout_s, retries)
