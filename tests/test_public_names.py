import importlib
import subprocess
import sys

import pytest

import reid_tf
from tests.models.made_models import small_backbone


@pytest.mark.parametrize("name", sorted(reid_tf._HOMES))
def test_public_names_are_the_rooms_own(name):
    assert getattr(reid_tf, name) is getattr(importlib.import_module(reid_tf._HOMES[name]), name)
    assert name in dir(reid_tf)


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="'reid_tf' has no attribute 'nothing'"):
        reid_tf.nothing  # noqa: B018


def test_importing_the_package_is_cheap():
    code = "import reid_tf, sys; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


FILES = ("encoder.keras", "model.keras")


@pytest.mark.parametrize("order", ["import reid_tf, keras", "import keras, reid_tf", "import reid_tf.models, keras"])
def test_keras_opens_the_files_of_a_run(order, tmp_path):
    """With its own function, whichever was imported first; a compiled model with its losses and optimizer too."""
    system = reid_tf.models.multitask(small_backbone(), num_identities=3, embedding_dim=8)
    system.compile("adam").save(tmp_path / "model.keras")
    system.encoder.save(tmp_path / "encoder.keras")
    opened = [f"print(keras.saving.load_model({str(tmp_path / name)!r}).name)" for name in FILES]
    code = "; ".join([order, *opened])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [system.encoder.name, system.model.name]
