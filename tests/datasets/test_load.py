import inspect

import pytest

from reid_tf.datasets.load import load_dataset
from reid_tf.errors import InputError
from reid_tf.registry import DATASETS


def test_every_data_set_is_registered():
    assert {"csv_table", "cuhk03", "cuhk03_classic", "dukemtmc_reid", "market1501", "prepared"} <= set(DATASETS.names())


@pytest.mark.parametrize("name", DATASETS.names())
def test_only_the_root_is_positional(name):
    parameters = inspect.signature(DATASETS.get(name)).parameters.values()
    given = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert given == ["root"]


def test_misspelt_names_and_options_get_a_hint(tmp_path):
    with pytest.raises(InputError, match=r"Unknown data set: 'market1502'. Did you mean 'market1501'\?"):
        load_dataset("market1502", str(tmp_path))
    with pytest.raises(InputError, match=r"'distractor'. Did you mean 'distractors'\?"):
        load_dataset("market1501", str(tmp_path), distractor="x")


def test_loading_twice_gives_the_same_records(market_root):
    assert load_dataset("market1501", str(market_root)) == load_dataset("market1501", str(market_root))


@pytest.mark.parametrize("root", [0.5, ["a"], {"a": 1}, True, "a\0b"])
@pytest.mark.parametrize("name", ["synthetic", "market1501", "csv_table"])
def test_a_root_that_is_no_path_is_a_sentence(name, root):
    with pytest.raises(InputError, match=r"must be the path of a folder or file\. Received: root="):
        load_dataset(name, root)
