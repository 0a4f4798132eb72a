"""Pre-trained weights: published ones by name, Keras' files by path, and files saved from, or converted for, ours."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from reid_tf.backbones.weights.caffe_tables import CAFFE_TABLES
from reid_tf.backbones.weights.download import download
from reid_tf.backbones.weights.imagenet import IMAGENET, converted_weights
from reid_tf.backbones.weights.provenance import Provenance, read_provenance
from reid_tf.backbones.weights.torch_tables import TABLES
from reid_tf.datasets.readers.hdf5 import refuse_other_files
from reid_tf.errors import InputError, one_line
from reid_tf.files import user_path
from reid_tf.layers.preprocessing import STORED

# What h5py and Keras raise for a damaged file, or one of another network.
_UNREADABLE = (KeyError, OSError, RuntimeError, TypeError, ValueError)
_CONVERTS = "; reid-tf convert-weights makes one of PyTorch's or Caffe's"


@dataclasses.dataclass(frozen=True)
class PublishedWeights:
    """How the ImageNet files that Keras publishes for an architecture are read.

    Args:
        application: function of `keras.applications` that reads them.
        convert: function (model of the application, our model) that copies the weights
            over.
        fully_connected: bool. Whether our model has the fully connected layers, which
            the "notop" files lack.
    """

    application: Callable[..., keras.Model]
    convert: Callable[[keras.Model, keras.Model], None]
    fully_connected: bool = False


def load_weights(
    model: keras.Model,
    weights: str | None,
    published: PublishedWeights | None = None,
    options: Mapping[str, Any] | None = None,
) -> keras.Model:
    """Fills a backbone; after an error it has the weights that it had.

    A `.weights.h5` file says which preprocessing its weights expect, and the backbone's
    first layer takes that over.

    Args:
        model: keras.Model. A fresh backbone, named as it is registered.
        weights: None (keep the random weights), "imagenet" (those of the table
            `IMAGENET`), or the path of a file: `.weights.h5` as written by
            `save_weights` of the same backbone or by `reid-tf convert-weights`, or,
            where Keras publishes weights, one of its `.h5` files.
        published: `PublishedWeights`, or None where Keras publishes none for the
            backbone as configured.
        options: mapping. The backbone's options that decide which weights are its own,
            with their values: those that change its function, and those that the table
            `IMAGENET` names. Weights that need another value are refused.

    Returns:
        keras.Model: `model` itself.

    Raises:
        InputError: the download failed, the file is missing, damaged, of another
            architecture or needs other options.
    """
    if weights is None:
        return model
    by_name = ", imagenet" if model.name in IMAGENET else ""
    allowed = f"null{by_name}, or the path of a .weights.h5{' or a Keras .h5' if published else ''} file"
    if weights == "imagenet":
        if not by_name:
            raise InputError(
                f"No ImageNet weights are known for the backbone {model.name!r}. "
                f"Received: weights={weights!r}, allowed: {allowed}."
            )
        return _load_imagenet(model, published, options or {})
    path = user_path(weights, "give the whole path")
    if not path.is_file():
        hint = _CONVERTS if model.name in (*TABLES, *CAFFE_TABLES) else ""
        raise InputError(
            f"There is no weights file {weights!r} for the backbone {model.name!r}. Allowed: {allowed}{hint}."
        )
    if path.name.endswith(".weights.h5"):
        return _load_own(model, path, options or {})
    if path.suffix == ".h5" and published is not None:
        return _load_published(model, path, published)
    hint = _CONVERTS if path.suffix in (".pth", ".pt", ".safetensors", ".caffemodel") else ""
    raise InputError(f"The backbone {model.name!r} cannot read the weights file {weights!r}. Allowed: {allowed}{hint}.")


def _load_imagenet(model: keras.Model, published: PublishedWeights | None, options: Mapping[str, Any]) -> keras.Model:
    row = IMAGENET[model.name]
    _require_options(f"weights: imagenet ({row.source})", model, row.options, options)
    if published is None:
        return _load_own(model, converted_weights(model.name), options)
    return _load_published(model, download(row.url, row.checksum), published)


def _load_published(model: keras.Model, path: Path, published: PublishedWeights) -> keras.Model:
    # A file without the classifier ("notop") is told from one with it by its arrays: only a dense layer has two axes.
    has_dense = any(len(shape) == 2 for shape in _array_shapes(path))
    if published.fully_connected and not has_dense:
        raise InputError(
            f"The weights file {str(path)!r} lacks the fully connected layers that the backbone {model.name!r} has; "
            f"give Keras' file without notop in its name."
        )
    with _whole_or_not_at_all(model, path):
        published.convert(published.application(include_top=has_dense, weights=str(path)), model)
    return model


def _load_own(model: keras.Model, path: Path, options: Mapping[str, Any]) -> keras.Model:
    held, expected = _array_shapes(path), sorted(tuple(weight.shape) for weight in model.weights)
    provenance = read_provenance(path)
    if provenance is not None:
        _check_provenance(model, path, provenance, options)
    if held != expected:  # Keras itself would pass over arrays that are left over
        raise InputError(
            f"The weights file {str(path)!r} does not fit the backbone {model.name!r} as configured: it holds "
            f"{len(held)} arrays, the backbone has {len(expected)}, {_first_difference(held, expected)}."
        )
    with _whole_or_not_at_all(model, path):
        model.load_weights(path)
    return model


def _check_provenance(model: keras.Model, path: Path, provenance: Provenance, options: Mapping[str, Any]) -> None:
    if provenance.backbone != model.name:
        raise InputError(
            f"The weights file {str(path)!r} holds weights of the backbone {provenance.backbone!r}. "
            f"Received: backbone {model.name!r}."
        )
    what = f"The weights file {str(path)!r} ({provenance.source})"
    _require_options(what, model, provenance.options, options)


def _require_options(what: str, model: keras.Model, needed: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    for option, value in needed.items():
        if options.get(option) != value:
            raise InputError(
                f"{what} needs another form of the backbone {model.name!r}: set {option}: {value}. "
                f"Received: {option}={options.get(option)!r}."
            )


@contextlib.contextmanager
def _whole_or_not_at_all(model: keras.Model, path: Path) -> Iterator[None]:
    """Turns an error while weights are set into a sentence, and gives the model back the weights that it had."""
    layer = model.get_layer("preprocessing")
    before, preprocessing = model.get_weights(), layer.from_config(layer.get_config())
    try:
        yield
    except _UNREADABLE as error:
        model.set_weights(before)
        layer.adopt(preprocessing)
        raise InputError(
            f"The weights file {str(path)!r} does not fit the backbone {model.name!r}: {one_line(error)}"
        ) from None


def _array_shapes(path: Path) -> list[tuple[int, ...]]:
    """Returns the sorted shapes of the weights in an HDF5 file, without what else may be in it."""
    shapes: list[tuple[int, ...]] = []

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        is_other = "seed_generator" in name or name.startswith("optimizer") or name.rpartition("/vars/")[-1] in STORED
        if isinstance(item, h5py.Dataset) and not is_other:
            shapes.append(tuple(item.shape))

    refuse_other_files(path)
    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except _UNREADABLE as error:
        raise InputError(
            f"The weights file {str(path)!r} is damaged or not an HDF5 file ({one_line(error)})."
        ) from None
    return sorted(shapes)


def _first_difference(held: list[tuple[int, ...]], expected: list[tuple[int, ...]]) -> str:
    surplus = sorted(set(held) - set(expected))
    missing = sorted(set(expected) - set(held))
    if surplus or missing:
        return f"for example {surplus[0] if surplus else 'none'} in the file, {missing[0] if missing else 'none'} here"
    return "of the same shapes in different numbers"
