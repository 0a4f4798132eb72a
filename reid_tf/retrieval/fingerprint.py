"""Which encoder made some vectors, and how it was asked: only vectors of one fingerprint can be compared."""

import dataclasses
from typing import Any

from reid_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What vectors depend on, but for the images.

    It is made when an encoder is trained and goes with it into every export, whatever
    the format: those are compared with the run before they are written. So it is the
    same on every machine, wherever the files lie, and however the weights are stored.

    Args:
        weights: str. A hash of the network's variables and architecture, its
            preprocessing included.
        image_size: (int, int). Height and width that images are resized to.
        flip: bool. Whether a vector is the mean over an image and its mirror image.
        normalize: bool. Whether vectors are scaled to unit length.
        dim: int. Width of the vectors.
    """

    weights: str
    image_size: tuple[int, int]
    flip: bool
    normalize: bool
    dim: int

    def __str__(self) -> str:
        height, width = self.image_size
        options = [name for name in ("flip", "normalize") if getattr(self, name)]
        return ", ".join([f"weights {self.weights}", f"{height} x {width} -> {self.dim}", *options])

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as JSON values."""
        return {**dataclasses.asdict(self), "image_size": list(self.image_size)}


def check_same_encoder(name: str, one: Fingerprint | None, other_name: str, other: Fingerprint | None) -> None:
    """Refuses to bring together vectors of two encoders; what does not know its encoder fits every other.

    Args:
        name: str. What the first vectors are, as the message begins.
        one: `Fingerprint` or None. Of their encoder.
        other_name: str. What the other ones are.
        other: `Fingerprint` or None.

    Raises:
        InputError: the two are different; the message says in what.
    """
    if one is None or other is None or one == other:
        return
    different = [
        field.name for field in dataclasses.fields(one) if getattr(one, field.name) != getattr(other, field.name)
    ]
    raise InputError(
        f"{name} and {other_name} are of encoders that differ in {' and '.join(different)}, whose vectors cannot be "
        f"compared. Received: ({one}) and ({other})."
    )
