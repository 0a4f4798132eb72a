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
