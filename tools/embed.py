"""Embed the images of a folder, or those that a CSV names, with a run's encoder."""

from pathlib import Path

import command_line

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}


def main() -> None:
    """Parses the command line and embeds."""
    parser = command_line.parser(__doc__, "python tools/embed.py --run runs/short --images crops/ --out crops.npz")
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run directory")
    parser.add_argument(
        "--images", required=True, metavar="FOLDER_OR_CSV", help="a folder, or a CSV as data set csv_table"
    )
    parser.add_argument(
        "--out", required=True, metavar="NPZ", help="the file to write: vectors, identities, cameras, paths"
    )
    parser.add_argument("--flip", action="store_true", help="average over an image and its mirror image")
    arguments = parser.parse_args()

    from reid_tf.datasets.load import load_dataset
    from reid_tf.datasets.record import Record
    from reid_tf.errors import InputError
    from reid_tf.retrieval.embed import embed, load_encoder

    source = Path(arguments.images)
    if source.is_file():
        dataset = load_dataset("csv_table", str(source))
        records = [record for split in dataset.splits().values() for record in split]
    elif source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        records = [Record(str(path), identity=-1, camera=-1) for path in paths]  # nobody says who they show
    else:
        raise InputError(
            f"--images must be a folder or a CSV file. Received: {arguments.images!r}, which does not exist."
        )
    if not records:
        raise InputError(f"There are no images ({', '.join(sorted(SUFFIXES))}) in {arguments.images!r}.")
    encoder = load_encoder(arguments.run)
    encoder.flip = encoder.flip or arguments.flip
    embeddings = embed(encoder, records)
    embeddings.save(arguments.out)
    print(f"{len(embeddings.paths)} embeddings of {embeddings.vectors.shape[1]} dimensions: {arguments.out}")


if __name__ == "__main__":
    command_line.run(main)
