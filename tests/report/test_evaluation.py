import cv2
import numpy as np

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.report.evaluation import write_report
from reid_tf.retrieval import Embeddings, evaluate
from reid_tf.retrieval.attribute_metrics import evaluate_attributes


def test_writes_pictures_and_a_table(tmp_path):
    generator = np.random.default_rng(0)
    query, gallery = (
        Embeddings(
            generator.normal(size=(count, 4)), np.arange(count) % 5, [camera] * count, [f"{i}" for i in range(count)]
        )
        for count, camera in ((10, 1), (30, 2))
    )
    metrics = evaluate(query, gallery)
    references = {"colour_histogram": metrics.to_dict()}
    image = np.zeros((20, 10, 3), np.uint8)
    write_report(
        tmp_path / "report", query, gallery, metrics, lambda path: image, references=references, ranked_lists=2
    )
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"ranked_lists.png", "cmc.png", "per_query.csv"}
    assert cv2.imread(str(tmp_path / "report" / "ranked_lists.png")).shape == (6 + 2 * 308, 6 + 11 * 144, 3)
    assert len((tmp_path / "report" / "per_query.csv").read_text().splitlines()) == 11
    protocol = "cuhk03_single_shot"
    drawn = evaluate(query, gallery, protocol=protocol, draws=3)
    write_report(tmp_path / "drawn", query, gallery, drawn, lambda path: image, protocol=protocol, ranked_lists=2)
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"ranked_lists.png", "cmc.png", "per_query.csv"}
    schema = AttributeSchema((AttributeGroup("hat", ("no", "yes")),))
    attributes = evaluate_attributes(schema, [[0], [1]], [[0], [1]])
    write_report(tmp_path / "report", query, gallery, metrics, lambda path: image, attributes=attributes)
    assert {path.name for path in (tmp_path / "report").glob("attributes*")} == {"attributes.csv", "attributes.png"}
