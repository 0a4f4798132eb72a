"""Fine-tuning: a model begins with whatever fits of another run's weights, and says what does not."""

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

from reid_tf.backbones.weights.conversion import fill, weight_table
from reid_tf.backbones.weights.load import load_weights
from reid_tf.backbones.weights.state_dict import read_state_dict
from reid_tf.encoder.description import read_manifest
from reid_tf.encoder.exported import EXPORT_FILE, find_export
from reid_tf.errors import InputError
from reid_tf.keras_file import MANIFEST_FILE, load_keras
from reid_tf.layers.preprocessing import ChannelNormalization
from reid_tf.models.system import System
from reid_tf.registry import import_components, load_entry_points
from reid_tf.schema import read_json

logger = logging.getLogger(__name__)

CONVERTED = (".pth", ".pt", ".safetensors", ".caffemodel")


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What is read of an `export.json`: the run that it was made of."""

    run: str = ""


@dataclasses.dataclass(frozen=True)
class Taken:
    """What a model took of another's weights.

    Args:
        source: str. Where they came from.
        variables: the model's variables that have them.
        rows: tuples of a layer's name, its shapes there and its shapes here, for each
            layer that was not taken; "-" where it is missing.
    """

    source: str
    variables: tuple[keras.Variable, ...]
    rows: tuple[tuple[str, str, str], ...]

    def table(self) -> str:
        """Returns the layers that were not taken as a table of Markdown, or a line that there is none."""
        begins = f"begin_from {self.source}: {len(self.variables)} arrays taken"
        if not self.rows:
            return f"{begins}, and none left over on either side"
        lines = ["| not taken | there | here |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]
        return "\n".join([f"{begins}; the layers that do not fit keep their random weights:", *lines])


def begin_from(system: System, backbone: Sequence[keras.Model], path: str) -> Taken:
    """Gives a system's model the weights of another that fit: of the same name and shape.

    The preprocessing that the backbone's weights expect comes along.

    Args:
        system: `System`.
        backbone: keras.Models. The model's backbone and its copies.
        path: str. A finished run; an export whose run is still there; a `.keras` file;
            or weights of the backbone alone, `.weights.h5` or as PyTorch or Caffe
            publish them.

    Returns:
        `Taken`.

    Raises:
        InputError: there is nothing of the kind, it is damaged, the run was made for
            other inputs, or nothing of the backbone fits. The model is as it was.
    """
    given = Path(path)
    if given.is_file() and given.suffix != ".keras":
        return _of_backbone_file(backbone, path)
    folder = _run_of(given)
    if folder is not None:
        _check_inputs(system, folder)
    there = _open(given if folder is None else folder)
    return _take(system.model, backbone, there, path)


def _run_of(path: Path) -> Path | None:
    """The run directory that a path means, or None for a file."""
    if path.is_file():
        return None
    if (path / MANIFEST_FILE).is_file():
        return path
    export = find_export(path)
    if export is None:
        raise InputError(
            f"begin_from must name a finished run, an export, a .keras file or a weights file. Received: {str(path)!r}."
        )
    run = read_json(export / EXPORT_FILE, _Origin).run
    if not (Path(run) / MANIFEST_FILE).is_file():
        raise InputError(
            f"An export holds its weights without batch normalisations, from which nothing learns: begin_from takes "
            f"those of the run that {str(path)!r} was made of, {run!r}, which is not there."
        )
    return Path(run)


def _check_inputs(system: System, run: Path) -> None:
    manifest = read_manifest(run)
    load_entry_points()
    import_components(manifest.configuration.imports)
    if manifest.encoder is None:
        return
    fields, wanted = (sorted(set(inputs.values())) for inputs in (manifest.encoder.inputs, system.inputs))
    if fields != wanted:
        raise InputError(
            f"The run {str(run)!r} sees {' and '.join(fields)}, and the model {system.model.name!r} sees "
            f"{' and '.join(wanted)}: begin_from needs a run with the same inputs."
        )


def _open(place: Path) -> keras.Model:
    if place.is_file():
        return load_keras(place)
    whole = place / "model.keras"
    return load_keras(whole if whole.exists() else place / "encoder.keras")


def _of_backbone_file(backbone: Sequence[keras.Model], path: str) -> Taken:
    first, *copies = backbone
    if Path(path).suffix in CONVERTED:
        state = read_state_dict(path)
        fill(first, weight_table(first.name, state.tensors), state)
    else:
        load_weights(first, path)
    return Taken(path, _with_copies(first, copies), ())


def _with_copies(first: keras.Model, copies: Sequence[keras.Model]) -> tuple[keras.Variable, ...]:
    """Gives the copies of a backbone's parts its weights, by path; returns the variables of all."""
    values = {variable.path: variable for variable in first.weights}
    copied = [variable for copy in copies for variable in copy.weights]
    for variable in copied:
        variable.assign(values[variable.path])
    return (*first.weights, *copied)


def _take(model: keras.Model, backbone: Sequence[keras.Model], there: keras.Model, source: str) -> Taken:
    offered: dict[str, list[keras.Variable]] = defaultdict(list)
    for variable in there.weights:
        offered[variable.path].append(variable)
    pairs: list[tuple[keras.Variable, keras.Variable]] = []
    unfit: list[tuple[str, keras.Variable | None, keras.Variable | None]] = []
    seen: dict[str, int] = defaultdict(int)
    for variable in model.weights:
        # A copy of a part has the same paths; it takes what the run's copy has, or the original's.
        candidates, place = offered.get(variable.path, []), seen[variable.path]
        seen[variable.path] += 1
        candidate = candidates[min(place, len(candidates) - 1)] if candidates else None
        if candidate is not None and candidate.shape == variable.shape:
            pairs.append((variable, candidate))
        else:
            unfit.append((variable.path, candidate, variable))
    own = {id(variable) for part in backbone for variable in part.weights}
    if own and not any(id(variable) in own for variable, _ in pairs):
        first = next(variable for variable in backbone[0].weights)
        held = [f"has shape {tuple(variable.shape)}" for variable in offered.get(first.path, [])]
        raise InputError(
            f"Nothing of {source!r} fits the backbone {backbone[0].name!r}: {first.path!r} "
            f"{held[0] if held else 'is missing'} there, and has shape {tuple(first.shape)} here."
        )
    for variable, candidate in pairs:
        variable.assign(candidate)
    _adopt_preprocessing(backbone[0], there)
    unfit += [(path, held[0], None) for path, held in offered.items() if path not in seen]
    return Taken(source, tuple(variable for variable, _ in pairs), _rows(unfit))


def _rows(
    unfit: Sequence[tuple[str, keras.Variable | None, keras.Variable | None]],
) -> tuple[tuple[str, str, str], ...]:
    """One row per layer."""
    layers: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for path, there, here in unfit:
        for column, variable in zip(layers[path.rpartition("/")[0]], (there, here), strict=True):
            if variable is not None:
                column.append(" x ".join(map(str, variable.shape)))
    return tuple((layer, ", ".join(there) or "-", ", ".join(here) or "-") for layer, (there, here) in layers.items())


def _adopt_preprocessing(backbone: keras.Model, there: keras.Model) -> None:
    ours, theirs = (next(_preprocessing(model), None) for model in (backbone, there))
    if ours and theirs:
        ours.adopt(theirs)


def _preprocessing(model: keras.Model) -> Iterator[ChannelNormalization]:
    for layer in model.layers:
        if isinstance(layer, ChannelNormalization):
            yield layer
        elif isinstance(layer, keras.Model):
            yield from _preprocessing(layer)
