"""Many images to one signature of a server, in batches."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reid_tf.errors import InputError
from reid_tf.serving.answers import Answers
from reid_tf.serving.balanced import BalancedModel
from reid_tf.serving.client_images import ClientImage, image_bytes, in_base64
from reid_tf.serving.rest import RestModel

Row = dict[str, bytes | list]


def send(
    model: RestModel | BalancedModel,
    signature: str,
    images: Mapping[str, Sequence[ClientImage]],
    landmarks: Mapping[str, np.ndarray],
    batch_size: int,
) -> Answers:
    """Asks a signature about images.

    Args:
        model: `RestModel`, or `BalancedModel`.
        signature: str. Its name.
        images: mapping from input to N images.
        landmarks: mapping from input to float32 [N, 18, 3].
        batch_size: int. Rows of a request.

    Returns:
        `Answers`, in which images that cannot be read are refused, too.

    Raises:
        ServerError: the server or its model is not there, the request is wrong as a
            whole, or the answer has another form.
    """
    answers = Answers(len(next(iter(images.values()))))
    for start in range(0, answers.count, batch_size):
        rows = {}
        for position in range(start, min(start + batch_size, answers.count)):
            try:
                rows[position] = _row(position, images, landmarks)
            except InputError as error:
                answers.refused[position] = str(error)
        if rows:
            answers.add(list(rows), model.predict(signature, _columns(rows.values())))
    return answers


def _row(position: int, images: Mapping[str, Sequence[ClientImage]], landmarks: Mapping[str, np.ndarray]) -> Row:
    row: Row = {name: values[position].tolist() for name, values in landmarks.items()}
    problems = []
    for name, values in images.items():
        try:
            row[name] = image_bytes(values[position])
        except InputError as error:
            problems.append(f"{name} {error}" if len(images) > 1 else str(error))
    if problems:
        raise InputError("; ".join(problems))
    return row


def _columns(rows: Iterable[Row]) -> dict[str, list]:
    """The JSON values of each input."""
    columns: dict[str, list] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(in_base64(value) if isinstance(value, bytes) else value)
    return columns
