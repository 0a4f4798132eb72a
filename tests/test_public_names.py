import importlib
import subprocess
import sys

import pytest

import reid_tf


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
