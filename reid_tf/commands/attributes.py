"""Predict the attributes of all images of a folder and write them as a CSV file, one image per row.

A run that was trained on Market-1501's attributes writes the annotation format of that
data set's CSV version (header `id,age,backpack,...`, values from 1 on); one trained on
others writes one column per group with the class's name. With --junk-scores, a second
file says how sure the run is of each image: the lowest scores, first in the file, hint
at images that show nobody well.
"""

from reid_tf.commands import command_line


def main() -> None:
    """Parses the command line and predicts."""
    parser = command_line.parser(
        __doc__, "reid-tf attributes --run runs/attribute --images crops/ --out attributes.csv"
    )
    command_line.add_encoder_arguments(parser)
    parser.add_argument(
        "--images", required=True, metavar="FOLDER_OR_CSV", help="a folder, or a CSV in the csv_table format"
    )
    parser.add_argument("--out", required=True, metavar="CSV", help="the file to write")
    parser.add_argument("--junk-scores", metavar="CSV", help="also write the sum of each image's squared outputs")
    arguments = parser.parse_args()

    from reid_tf.datasets.attributes.annotation_csv import write_annotations
    from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
    from reid_tf.datasets.attributes.table import write_attribute_table
    from reid_tf.datasets.image_list import image_ids, list_images
    from reid_tf.encoder.embed import embed_with_attributes
    from reid_tf.retrieval.junk import junk_scores, write_junk_scores

    records = list_images(arguments.images)
    encoder = command_line.encoder(arguments)
    coding = command_line.attribute_coding(encoder, arguments)
    embeddings, outputs = embed_with_attributes(encoder, records)
    names = image_ids(embeddings.paths)
    answers = dict(sorted(zip(names, coding.answers(outputs).tolist(), strict=True)))
    if coding.schema == MARKET1501_SCHEMA:
        write_annotations(arguments.out, answers)
        form = "annotation format"
    else:
        write_attribute_table(arguments.out, coding.schema, answers)
        form = "one column per group, as the run was trained on other groups than Market-1501's"
    print(f"{len(coding.schema.groups)} attribute groups of {len(answers):,} images ({form}): {arguments.out}")
    if arguments.junk_scores:
        write_junk_scores(arguments.junk_scores, names, junk_scores(outputs))
        print(f"junk scores, likely junk first: {arguments.junk_scores}")
