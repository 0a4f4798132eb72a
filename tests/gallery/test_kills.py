"""A gallery whose process is killed while it adds, or finds the disk full."""

import subprocess
import sys

import numpy as np
import pytest

from reid_tf.gallery import Gallery, Sighting

KILLS = 20
ADDING = """
import sys
import numpy as np
from reid_tf.gallery import Gallery, Sighting

folder, first = sys.argv[1], int(sys.argv[2])
gallery = Gallery(folder)
numbers = range(first, first + 100_000)
found = (Sighting(vector=np.float32([1, number, 1]), path=str(number)) for number in numbers)
for added in gallery.add_in_batches(found, batch_size=50):
    print(first + added.added, flush=True)
"""


@pytest.mark.slow
def test_every_acknowledged_row_is_there_and_none_is_half_there(tmp_path, encoder):
    folder, generator = tmp_path / "seen", np.random.default_rng(0)
    Gallery(folder, encoder).close()
    acknowledged = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", ADDING, folder, str(acknowledged)]
        adding = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(generator.integers(1, 30)):
            acknowledged = int(adding.stdout.readline())
        adding.kill()
        acknowledged = max([acknowledged, *map(int, adding.communicate()[0].split())])
        with Gallery(folder) as gallery:
            rows = {int(row["path"]): row for row in gallery.rows(["path", "vector", "camera", "time", "attributes"])}
            assert len(gallery) == len(rows)
        assert set(rows) >= set(range(acknowledged))
        for number, row in rows.items():
            expected = np.float32([1, number, 1])
            np.testing.assert_allclose(row["vector"], expected / np.linalg.norm(expected), rtol=1e-6)
            assert (row["camera"], row["time"], row["attributes"]) == ("", -1, {})
        acknowledged = len(rows)
    assert acknowledged > KILLS * 50


FILLING = """
import resource, sys
from reid_tf.errors import InputError
from reid_tf.gallery import Gallery, Sighting

resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
found = (Sighting(vector=[1, number, 1], path=str(number)) for number in range(100_000))
with Gallery(sys.argv[1]) as gallery:
    try:
        for added in gallery.add_in_batches(found, batch_size=500):
            print(added.added, flush=True)
    except InputError as error:
        print(error)
"""


def test_a_full_disk_is_a_sentence_and_the_gallery_opens_afterwards(tmp_path, encoder):
    folder = tmp_path / "seen"
    Gallery(folder, encoder).close()
    filled = subprocess.run([sys.executable, "-c", FILLING, folder], capture_output=True, text=True)
    *acknowledged, sentence = filled.stdout.splitlines()
    assert sentence == f"The gallery {str(folder)!r} cannot be written: File too large."
    assert "Traceback" not in filled.stderr
    with Gallery(folder) as gallery:
        assert len(gallery) >= int(acknowledged[-1]) > 0
        assert {row["path"] for row in gallery.rows(["path"])} == {str(number) for number in range(len(gallery))}
        gallery.add([Sighting(vector=[0, 0, 1], path="one more")])
        assert len(gallery.search(vector=[0, 0, 1], k=1)) == 1
