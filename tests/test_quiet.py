"""A package of TensorFlow's name that writes as TensorFlow's libraries do, past Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REMARKS = """import os
os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\\n")
os.write(2, b"something else\\n")
version = 1
"""


@pytest.mark.parametrize("level", ["", "debug"])
def test_remarks_at_the_import_are_left_out_and_the_rest_is_not(tmp_path, level):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(REMARKS)
    root = str(Path(__file__).resolve().parents[1])
    code = (
        "import reid_tf.commands.command_line, os, importlib.util; "
        "assert importlib.util.find_spec('tensorflow'); "  # who asks whether it is there does not spoil it
        "import tensorflow; assert tensorflow.version == 1; os.write(2, b'after\\n')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root]), "REID_TF_LOG": level}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[-2:] == ["something else", "after"]
    assert (len(lines) == 4) is (level == "debug")
