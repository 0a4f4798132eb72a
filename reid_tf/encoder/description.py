"""What `manifest.json` and `export.json` say of an encoder, checked when it is loaded."""

import dataclasses
from pathlib import Path
from typing import Any

from reid_tf.datasets.attributes.coding import AttributeCoding
from reid_tf.encoder.runtimes.base import Runtime
from reid_tf.errors import InputError
from reid_tf.keras_file import MANIFEST_FILE
from reid_tf.options import unknown
from reid_tf.pose.fields import check_fields
from reid_tf.retrieval.distances import DISTANCES
from reid_tf.retrieval.fingerprint import Fingerprint
from reid_tf.schema import read_json


@dataclasses.dataclass(frozen=True)
class Description:
    """An encoder without its network: the fields of `Encoder.describe`.

    Args:
        inputs: dict from input name to record field.
        image_size: (int, int). Height and width.
        distance: str. What its embeddings are ranked with.
        flip: bool. Whether it averages over an image and its mirror image.
        dim: int. Width of the embeddings.
        attributes: dict of `AttributeCoding.to_dict`, or None.
        normalize: bool. Whether embeddings are scaled to unit length.
        fingerprint: `Fingerprint`, or None in files of version 0.1.0.

    Raises:
        InputError: a value is not one that an encoder has, or is not that of the
            fingerprint.
    """

    inputs: dict[str, str]
    image_size: tuple[int, int]
    distance: str
    flip: bool
    dim: int
    attributes: dict[str, Any] | None
    normalize: bool
    fingerprint: Fingerprint | None = None

    def __post_init__(self) -> None:
        check_fields(self.inputs)
        if self.distance not in DISTANCES:
            raise InputError(unknown("distance", self.distance, DISTANCES))
        if min(*self.image_size, self.dim) < 1:
            raise InputError(
                f"An encoder's 'image_size' and 'dim' are at least 1. Received: {list(self.image_size)} and {self.dim}."
            )
        self.coding  # noqa: B018 - it refuses attributes that are none
        if self.fingerprint is not None:
            for name in ("image_size", "flip", "normalize", "dim"):
                own, other = getattr(self, name), getattr(self.fingerprint, name)
                if own != other:
                    raise InputError(f"{name!r} is {other!r} in the encoder's fingerprint. Received: {own!r}.")

    @property
    def identity(self) -> str | None:
        """The hash of the network, or None where it is not known."""
        return self.fingerprint.weights if self.fingerprint else None

    @property
    def coding(self) -> AttributeCoding | None:
        """How attributes are read, or None where there are none."""
        return AttributeCoding.from_dict(self.attributes) if self.attributes is not None else None

    def check_runtime(self, runtime: Runtime, source: str) -> None:
        """Compares the description with the network that it is of.

        Args:
            runtime: `Runtime`.
            source: str. The file that holds the description, as messages name it.

        Raises:
            InputError: the network has other inputs, images of another size, or outputs
                of other widths.
        """
        shapes, widths, coding = runtime.input_shapes, runtime.output_widths, self.coding
        found: dict[str, tuple[Any, Any]] = {
            "inputs": (sorted(self.inputs), sorted(shapes)),
            "dim": (self.dim, widths.get("embedding")),
        }
        if coding is not None:
            found["attributes"] = (coding.size, widths.get("attributes"))
        if found["inputs"][0] == found["inputs"][1]:
            image = next((shapes[name] for name, field in self.inputs.items() if field == "image"), (None,) * 4)
            size = tuple(own or side for own, side in zip(image[1:3], self.image_size, strict=True))
            found["image_size"] = (self.image_size, size)
        for name, (said, own) in found.items():
            if said != own:
                raise InputError(f"{source!r}, 'encoder', {name!r}: the network has {own}. Received: {said}.")


@dataclasses.dataclass(frozen=True)
class Imports:
    """The modules of a configuration.

    Args:
        imports: tuple of str. Those that enter components of a user's own.
    """

    imports: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What is read of a run's `manifest.json`.

    Args:
        encoder: `Description`, or None for a run without encoder.
        configuration: `Imports`. What opening the run needs of its configuration.
        dataset: dict, or None. Name and counts of the data that it was trained on.
        data_hash: str, or None. Of its images.
        seconds: float, or None. How long it took.
    """

    encoder: Description | None = None
    configuration: Imports = Imports()
    dataset: dict[str, Any] | None = None
    data_hash: str | None = None
    seconds: float | None = None


def read_manifest(run: Path) -> Manifest:
    """Reads the manifest of a finished run.

    Args:
        run: Path. The run directory.

    Returns:
        `Manifest`.

    Raises:
        InputError: there is none, or a field is wrong.
    """
    path = run / MANIFEST_FILE
    for needed in (run, path):
        if not needed.exists():
            raise InputError(f"{str(run)!r} is not a finished run: there is no {str(needed)!r}.")
    return read_json(path, Manifest)
