"""Embeddings as a folder of Parquet files, one for each block of images, which other programs read too."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid_tf.errors import InputError, require_package
from reid_tf.retrieval.embeddings import Embeddings
from reid_tf.retrieval.fingerprint import Fingerprint
from reid_tf.schema import of_fields

_ABOUT = b"reid_tf"


def part_name(block: int) -> str:
    """Returns the file name of a block's embeddings.

    Args:
        block: int. Its number.
    """
    return f"part-{block:06d}.parquet"


def packed(embeddings: Embeddings, refused: Mapping[str, str]) -> bytes:
    """Returns the Parquet file of a block: columns path, identity, camera and vector.

    Args:
        embeddings: `Embeddings`.
        refused: mapping from the path of an image that could not be embedded to a
            sentence; kept in the file's metadata, as is the encoder's fingerprint.
    """
    import pyarrow as pa
    import pyarrow.parquet

    encoder = embeddings.encoder and embeddings.encoder.to_dict()
    about = {_ABOUT: json.dumps({"encoder": encoder, "refused": dict(refused)}).encode()}
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.vectors.ravel()), embeddings.vectors.shape[1])
    columns = {
        "path": pa.array(embeddings.paths, pa.string()),
        "identity": pa.array(embeddings.identities),
        "camera": pa.array(embeddings.cameras),
        "vector": vectors,
    }
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.table(columns).replace_schema_metadata(about), sink)
    return bytes(sink.getvalue())


def read_part(path: Path) -> tuple[Embeddings, dict[str, str]]:
    """Reads what `packed` made.

    Args:
        path: Path.

    Returns:
        `Embeddings`, and the sentences of the images that were refused.

    Raises:
        InputError: it is none of these files.
    """
    require_package("pyarrow", "A .parquet file", "'reid_tf[ray]'")
    import pyarrow as pa
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        about: dict[str, Any] = json.loads((table.schema.metadata or {})[_ABOUT])
        vectors = table["vector"].combine_chunks()
        width = vectors.type.list_size
        embeddings = Embeddings(
            np.asarray(vectors.flatten()).reshape(-1, width),
            np.asarray(table["identity"]),
            np.asarray(table["camera"]),
            tuple(table["path"].to_pylist()),
            about["encoder"] and of_fields(Fingerprint, about["encoder"], f"{str(path)!r}, 'encoder'"),
        )
    except (pa.ArrowException, OSError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{str(path)!r} is not a file of embeddings: {error}.") from None
    return embeddings, about["refused"]


def describe_part(path: Path) -> tuple[int, int, dict[str, str]]:
    """Reads of what `packed` made how much it holds, without its vectors.

    Args:
        path: Path.

    Returns:
        Images, dimensions, and the sentences of the images that were refused.

    Raises:
        InputError: it is none of these files.
    """
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        return rows, schema.field("vector").type.list_size, json.loads((schema.metadata or {})[_ABOUT])["refused"]
    except (pa.ArrowException, OSError, KeyError, ValueError, AttributeError) as error:
        raise InputError(f"{str(path)!r} is not a file of embeddings: {error}.") from None


def read_parts(folder: str | Path) -> Embeddings:
    """Reads a finished folder of embeddings as one.

    Args:
        folder: str or Path.

    Returns:
        `Embeddings` in the order of the images.

    Raises:
        InputError: there is no such folder, or a file in it is none of embeddings.
    """
    paths: Sequence[Path] = sorted(Path(folder).glob("part-*.parquet"))
    if not paths:
        raise InputError(f"There are no embeddings in {str(folder)!r}: it needs files part-*.parquet.")
    return Embeddings.concatenate([read_part(path)[0] for path in paths])
