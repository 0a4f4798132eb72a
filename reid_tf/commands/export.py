"""Export the encoder of a finished run for other programs, and compare the result with the run on real images.

A format is `savedmodel` (for TensorFlow Serving: from image files to embeddings and
decisions; each export into the same folder is its next version), `litert` (a TensorFlow
Lite file), `litert-int8` (one in 8 bits) or `onnx`.
"""

import logging

from reid_tf.commands import command_line
from reid_tf.datasets.readers.image_file import MAX_PIXELS
from reid_tf.errors import require_package


def main() -> None:
    """Parses the command line and exports."""
    parser = command_line.parser(__doc__, "reid-tf export --run runs/short --format savedmodel")
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run directory")
    parser.add_argument("--format", required=True, help="savedmodel, litert, litert-int8 or onnx")
    command_line.add_output(
        parser, "--out", folder=True, metavar="DIR", help="where the export goes (default: RUN/export/FORMAT)"
    )
    parser.add_argument(
        "--profile", help="imagenet-nchw: the input that trackers such as boxmot give (onnx and litert)"
    )
    parser.add_argument("--normalize", action="store_true", help="scale embeddings to unit length")
    command_line.add_data_argument(parser)
    parser.add_argument(
        "--max-images", type=command_line.COUNT, default=1000, metavar="N", help="images compared (%(default)s)"
    )
    parser.add_argument(
        "--representative-images",
        type=command_line.WHOLE,
        default=128,
        metavar="N",
        help="training images that litert-int8 is quantised with (%(default)s)",
    )
    parser.add_argument(
        "--max-pixels",
        type=command_line.COUNT,
        default=MAX_PIXELS,
        metavar="N",
        help="pixels of the largest image that savedmodel decodes (%(default)s)",
    )
    parser.add_argument(
        "--max-difference",
        type=command_line.NOT_NEGATIVE,
        metavar="SHARE",
        help="largest difference of an embedding, as a share of the mean length (default: 0.001)",
    )
    parser.add_argument(
        "--max-points-lost",
        type=command_line.NOT_NEGATIVE,
        metavar="POINTS",
        help="largest loss of mAP (default: 0.1, or 1 in 8 or 16 bits)",
    )
    arguments = parser.parse_args()
    if arguments.format == "onnx":
        require_package("tf2onnx", "--format onnx", "'reid_tf[onnx]'")

    from reid_tf.serving.export import export

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells how it names weights in a SavedModel
    report = export(
        arguments.run,
        arguments.format,
        arguments.out,
        profile=arguments.profile,
        normalize=arguments.normalize,
        data=arguments.data,
        max_images=arguments.max_images,
        representative_images=arguments.representative_images,
        max_pixels=arguments.max_pixels,
        max_difference=arguments.max_difference,
        max_points_lost=arguments.max_points_lost,
    )
    parity = report.parity
    print(f"\ncompared on {parity.images} images, {parity.queries} queries:")
    print(f"{'':8}{'rank-1':>9}{'mAP':>9}")
    for row, name in enumerate(("run", "export")):
        print(f"{name:8}{100 * parity.rank1[row]:>9.2f}{100 * parity.mean_average_precision[row]:>9.2f}")
    print(f"largest difference of an embedding: {parity.difference:.2g} of the mean length")
    print(f"\n{report.format}, {report.size / 1e6:.2f} MB: {report.folder}")
