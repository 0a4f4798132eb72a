"""Write a data set in its prepared form: the images' bytes in a few shards, read back as the data set `prepared`.

Worth it where a data set has very many images or lies on a network disk.
"""

from reid_tf.commands import command_line
from reid_tf.datasets.load import load_dataset
from reid_tf.datasets.prepare import prepare
from reid_tf.files import claimed


def main() -> None:
    """Parses the command line and prepares one data set."""
    parser = command_line.parser(__doc__, "reid-tf prepare --dataset synthetic --out prepared/synthetic")
    command_line.add_dataset_arguments(parser)
    command_line.add_output(
        parser, "--out", folder=True, required=True, metavar="DIR", help="the folder to write, which must be new"
    )
    arguments = parser.parse_args()
    with claimed(arguments.out, folder=True):
        dataset = load_dataset(arguments.dataset, arguments.data, **command_line.dataset_options(arguments))
        prepare(dataset, arguments.out)
    images = sum(map(len, dataset.splits().values()))
    print(f"Wrote {images:,} images. Use them with: --dataset prepared --data {arguments.out}")
