"""Many images to one signature of a server: in batches, and one by one where a batch is refused."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.serving.answers import Answers
from reid_tf.serving.client_images import ClientImage, image_bytes, in_base64
from reid_tf.serving.rest import RefusedError, RestModel

# A server that batches the requests of its clients refuses all in a batch for one bad image of any of them.
_TIMES_ALONE = 4

Row = dict[str, bytes | list]


def send(
    model: RestModel,
    signature: str,
    only_output: str,
    images: Mapping[str, Sequence[ClientImage]],
    landmarks: Mapping[str, np.ndarray],
    batch_size: int,
) -> Answers:
    """Asks a signature about images.

    Args:
        model: `RestModel`.
        signature: str. Its name.
        only_output: str. The name of its output where it has one alone, which the server does not send.
        images: mapping from input to N images.
        landmarks: mapping from input to float32 [N, 18, 3].
        batch_size: int. Rows of a request.

    Returns:
        `Answers`, in which images that cannot be read are refused, too.

    Raises:
        InputError: the model has no such signature, or it takes other inputs.
        ServerError: the server or its model is not there, or its answer has another form.
    """
    answers = Answers(len(next(iter(images.values()))))

    def ask(rows: Mapping[int, Row]) -> None:
        outputs = model.predict(signature, _columns(rows.values()))
        answers.add(list(rows), outputs if isinstance(outputs, dict) else {only_output: outputs})

    def ask_alone(position: int, row: Row) -> None:
        own = [f"({len(value)} bytes)" for value in row.values() if isinstance(value, bytes)]
        for _ in range(_TIMES_ALONE):
            try:
                ask({position: row})
                answers.refused.pop(position, None)
                break
            except RefusedError as error:
                answers.refused[position] = error.reason
            if any(length in answers.refused[position] for length in own):
                break

    for start in range(0, answers.count, batch_size):
        rows = {}
        for position in range(start, min(start + batch_size, answers.count)):
            try:
                rows[position] = _row(position, images, landmarks)
            except InputError as error:
                answers.refused[position] = str(error)
        try:
            if rows:
                ask(rows)
        except RefusedError:
            _check_inputs(model, signature, [*images, *landmarks])
            for position, row in rows.items():
                ask_alone(position, row)
    return answers


def _check_inputs(model: RestModel, signature: str, inputs: Sequence[str]) -> None:
    """Raises where not an image but the question is wrong."""
    wanted = sorted(model.signature(signature)["inputs"])
    if wanted != sorted(inputs):
        raise InputError(f"The model takes {wanted} for {signature!r}. Received: {sorted(inputs)}.")


def _row(position: int, images: Mapping[str, Sequence[ClientImage]], landmarks: Mapping[str, np.ndarray]) -> Row:
    encoded: Row = {name: image_bytes(values[position]) for name, values in images.items()}
    return {**encoded, **{name: values[position].tolist() for name, values in landmarks.items()}}


def _columns(rows: Iterable[Row]) -> dict[str, list]:
    """The JSON values of each input."""
    columns: dict[str, list] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(in_base64(value) if isinstance(value, bytes) else value)
    return columns
