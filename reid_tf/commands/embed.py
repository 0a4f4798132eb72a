"""Embed the images of a folder, or those that a CSV names, with a run's encoder."""

from reid_tf.commands import command_line


def main() -> None:
    """Parses the command line and embeds."""
    parser = command_line.parser(__doc__, "reid-tf embed --run runs/short --images crops/ --out crops.npz")
    command_line.add_encoder_arguments(parser)
    parser.add_argument(
        "--images", required=True, metavar="FOLDER_OR_CSV", help="a folder, or a CSV in the csv_table format"
    )
    command_line.add_output(
        parser, "--out", required=True, metavar="NPZ", help="the file to write: vectors, identities, cameras, paths"
    )
    arguments = parser.parse_args()

    from reid_tf.datasets.image_list import list_images
    from reid_tf.encoder.embed import embed

    records = list_images(arguments.images)
    embeddings = embed(command_line.encoder(arguments), records)
    embeddings.save(arguments.out)
    print(f"{len(embeddings.paths)} embeddings of {embeddings.vectors.shape[1]} dimensions: {arguments.out}")
