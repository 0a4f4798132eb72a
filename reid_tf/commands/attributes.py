"""Predict the attributes of all images of a folder and write them as a CSV file, one image per row.

A run that was trained on Market-1501's attributes writes the annotation format of that
data set's CSV version (header `id,age,backpack,...`, values from 1 on); one trained on
others writes one column per group with the class's name. With --junk-scores, a second
file says how sure the run is of each image: the lowest scores, first in the file, hint
at images that show nobody well. With --queries and --ranked, a third file lists the
images that are most like each query, `query: name, name, ...`; the images are embedded
once for all of them.
"""

import argparse

from reid_tf.commands import command_line
from reid_tf.errors import InputError


def main() -> None:
    """Parses the command line and predicts."""
    arguments = parse()

    from reid_tf.datasets.attributes.annotation_csv import write_annotations
    from reid_tf.datasets.attributes.schema import MARKET1501_SCHEMA
    from reid_tf.datasets.attributes.table import write_attribute_table
    from reid_tf.datasets.image_list import image_ids, list_images
    from reid_tf.encoder.embed import embed, embed_with_attributes
    from reid_tf.retrieval.junk import junk_scores, write_junk_scores
    from reid_tf.retrieval.ranked_file import check_names, write_ranked_lists
    from reid_tf.retrieval.ranking import rank

    records = list_images(arguments.images)
    queries = list_images(arguments.queries) if arguments.queries else None
    names = image_ids([record.path for record in records])
    if queries:
        headings = image_ids([record.path for record in queries])
        check_names(arguments.ranked, (*headings, *names))
    encoder = command_line.encoder(arguments)
    coding = command_line.attribute_coding(encoder, arguments)
    embeddings, outputs = embed_with_attributes(encoder, records)
    lists = {}
    if queries:
        indices, _ = rank(embed(encoder, queries), embeddings, min(arguments.k, len(names)), encoder.distance)
        lists = {query: [names[index] for index in row] for query, row in zip(headings, indices, strict=True)}
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
    if lists:
        write_ranked_lists(arguments.ranked, lists)
        listed = min(arguments.k, len(names))
        print(f"ranked lists: {len(lists):,}, each of {listed} of {len(names):,} images: {arguments.ranked}")


def parse() -> argparse.Namespace:
    """Returns the command line's arguments, with those checked that need no file."""
    parser = command_line.parser(
        __doc__,
        "reid-tf attributes --run runs/attribute --images crops/ --out attributes.csv\n  "
        "reid-tf attributes --run runs/attribute --images test/ --out attributes.csv --queries queries/ "
        "--ranked ranked.txt",
    )
    command_line.add_encoder_arguments(parser)
    parser.add_argument(
        "--images", required=True, metavar="FOLDER_OR_CSV", help="a folder, or a CSV in the csv_table format"
    )
    command_line.add_output(parser, "--out", required=True, metavar="CSV", help="the file to write")
    command_line.add_output(
        parser, "--junk-scores", metavar="CSV", help="also write the sum of each image's squared outputs"
    )
    parser.add_argument("--queries", metavar="FOLDER_OR_CSV", help="images to search --images with")
    command_line.add_output(
        parser, "--ranked", metavar="TXT_OR_JSONL", help="also write the images that are most like each of --queries"
    )
    parser.add_argument(
        "--k", type=command_line.COUNT, default=50, help="images per ranked list (default: %(default)s)"
    )
    arguments = parser.parse_args()
    if (arguments.queries is None) != (arguments.ranked is None):
        raise InputError(
            f"Ranked lists need both --queries and --ranked. Received: --queries {arguments.queries} and "
            f"--ranked {arguments.ranked}."
        )
    return arguments
