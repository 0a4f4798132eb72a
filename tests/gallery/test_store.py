import subprocess
import sys

HANDLERS = """
import logging

class Kept(logging.StreamHandler):
    def close(self):
        print("closed")

kept = Kept()
logging.getLogger("mine").addHandler(kept)
from reid_tf.gallery.store import import_pymilvus
print(import_pymilvus().__name__)
"""


def test_the_logs_of_a_program_stay_open():
    """The import of pymilvus by itself closes all log handlers."""
    done = subprocess.run([sys.executable, "-c", HANDLERS.strip()], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["pymilvus", "closed"], done.stderr  # at the program's end
