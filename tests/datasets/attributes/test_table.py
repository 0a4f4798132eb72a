import pandas as pd

from reid_tf.datasets.attributes.schema import AttributeGroup, AttributeSchema
from reid_tf.datasets.attributes.table import write_attribute_table

SCHEMA = AttributeSchema((AttributeGroup("shoes", ("dark", "light")), AttributeGroup("top", ("red, pale", "blue"))))


def test_writes_words_sorted_by_name(tmp_path):
    path = tmp_path / "new" / "a.csv"
    write_attribute_table(path, SCHEMA, {"b.jpg": (1, 0), "a.jpg": (-1, 1)})
    assert path.read_bytes() == b'id,shoes,top\na.jpg,,blue\nb.jpg,light,"red, pale"\n'
    table = pd.read_csv(path, index_col="id", keep_default_na=False)
    assert table.loc["b.jpg"].to_dict() == {"shoes": "light", "top": "red, pale"}
    assert [file.name for file in path.parent.iterdir()] == ["a.csv"]
