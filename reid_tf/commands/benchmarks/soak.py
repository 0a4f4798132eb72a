"""A gallery's HTTP program under many requests, good and bad: right answers, latency, and memory that stays flat.

`reid-tf gallery serve` runs as a process of its own over the run's images. Of the
requests eight in ten are searches with a known image, whose row must be found first;
the others are spoilt images, requests of the wrong form, and images that are there
already. The table has a row for each tenth: the memory that the process has at its end,
and the times of the good searches. It fails where an answer is wrong, or where memory
grows by more than `--growth` from the end of the second tenth to the end of the last
one. Ten requests a second for an hour are 36,000.
"""

import argparse
import base64
import contextlib
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import requests
from tqdm import tqdm

from reid_tf.commands import command_line
from reid_tf.commands.benchmarks.fuzz_mutations import spoilt_image
from reid_tf.commands.benchmarks.processes import resident_bytes
from reid_tf.errors import InputError, one_line
from reid_tf.options import Within
from reid_tf.report.table import table_head, table_row

HEADER = ("requests", "memory, MiB", "search p50, ms", "p99, ms", "refused", "wrong")
PARTS, WARM_UP = 10, 2
LONGEST = 60.0  # seconds that an answer may take
_JSON = {"Content-Type": "application/json"}
WRONG_FORMS: tuple[bytes, ...] = (
    b"{",
    b'{"image": "no base64!"}',
    b'{"vector": [1.0, 2.0]}',
    b'{"k": 0, "person": "1"}',
    b'{"image": 3}',
    b'{"nonsense": true}',
    b'{"person": "1", "filters": {"since": "yesterday"}}',
    b'{"vector": [NaN]}',
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the run, its images and the number of requests to a parser."""
    parser.add_argument("--run", required=True, metavar="DIR", help="a finished run, or an export")
    parser.add_argument("--images", required=True, metavar="FOLDER", help="the images of the gallery")
    parser.add_argument("--requests", type=command_line.COUNT, default=36_000, help="(%(default)s)")
    parser.add_argument("--rows", type=command_line.COUNT, default=1000, help="images of the folder (%(default)s)")
    parser.add_argument(
        "--growth",
        type=command_line.number(float, Within(above=0)),
        default=2.0,
        help="percent of memory (%(default)s)",
    )


def main(arguments: argparse.Namespace) -> None:
    """Runs the benchmark and prints its table.

    Raises:
        InputError: an answer was wrong, or memory grew; or this system does not tell a
            process's memory.
    """
    from reid_tf.datasets.image_list import list_images

    images = [Path(record.path) for record in list_images(arguments.images)][: arguments.rows]
    print(table_head(HEADER), flush=True)
    memory, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder, _served(arguments.run, Path(folder)) as (process, url):
        asking = _Asking(url, images)
        asking.add()
        for part in tqdm(range(PARTS), unit="part", disable=None):
            count = arguments.requests * (part + 1) // PARTS - arguments.requests * part // PARTS
            asking.ask(count)
            memory.append(resident_bytes(process.pid) / 2**20)
            wrong += len(asking.wrong)
            tqdm.write(table_row(asking.row(memory[-1])), file=sys.stdout)
            for what in asking.wrong[:3]:
                tqdm.write(f"wrong: {what}", file=sys.stdout)
            asking.forget()
    growth = 100 * (memory[-1] / memory[WARM_UP - 1] - 1)
    print(f"\nmemory after the second tenth and at the end: {growth:+.2f} %")
    if wrong:
        raise InputError(f"{wrong} of {arguments.requests} answers were wrong.")
    if growth > arguments.growth:
        raise InputError(f"The memory of the program grew by {growth:.2f} %, more than {arguments.growth:g} %.")


@contextlib.contextmanager
def _served(run: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["gallery", "serve", "--gallery", str(folder / "gallery"), "--run", run, "--port", str(port)]
    program = "import sys; from reid_tf.commands.main import main; sys.exit(main())"
    log = folder / "log"  # where decoders write about spoilt images too
    with log.open("wb") as file:
        command = [sys.executable, "-c", program, *words, "--rate", "1000000/second"]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise InputError(f"The gallery's HTTP program did not start: {said}.")
            time.sleep(0.2)
        yield process, url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


class _Asking:
    """What is asked, and what came of it.

    Args:
        url: str. The program's.
        images: the files of the gallery.
    """

    def __init__(self, url: str, images: list[Path]) -> None:
        self.url, self.session, self.chance = url, requests.Session(), random.Random(0)
        self.files = {str(path): path.read_bytes() for path in images}
        self.forget()
        self.asked = 0

    def forget(self) -> None:
        """Begins a row of the table."""
        self.seconds: list[float] = []
        self.refused, self.wrong = 0, list[str]()

    def row(self, memory: float) -> list[str]:
        """Returns a row of the table."""
        p50, p99 = 1e3 * np.quantile(self.seconds, (0.5, 0.99)) if self.seconds else (np.nan, np.nan)
        return [
            f"{self.asked:,}",
            f"{memory:.1f}",
            f"{p50:.1f}",
            f"{p99:.1f}",
            f"{self.refused:,}",
            str(len(self.wrong)),
        ]

    def add(self) -> None:
        """Puts all images into the gallery."""
        for path in self.files:
            self._post("add", {"images": [{"image": self._encoded(path), "path": path}]}, 200)

    def ask(self, count: int) -> None:
        """Sends requests, one after another."""
        for _ in range(count):
            self.asked += 1
            kind = self.chance.choices((self._search, self._spoilt, self._form, self._again), (80, 10, 5, 5))[0]
            kind(self.chance.choice(list(self.files)))

    def _search(self, path: str) -> None:
        started = time.perf_counter()
        answer = self._post("search", {"image": self._encoded(path), "k": 5}, 200)
        self.seconds.append(time.perf_counter() - started)
        found = [row["distance"] for group in (answer or {}).get("groups", ()) for row in group if row["path"] == path]
        if not found or abs(found[0]) > 1e-3:
            self.wrong.append(f"a search with {path} did not find it at no distance: {found}")

    def _spoilt(self, path: str) -> None:
        image = base64.b64encode(spoilt_image(self.files[path], self.chance)).decode()
        self._post("search", {"image": image}, 200, 400)

    def _form(self, path: str) -> None:
        self._post("search", self.chance.choice(WRONG_FORMS), 400, 422)

    def _again(self, path: str) -> None:
        answer = self._post("add", {"images": [{"image": self._encoded(path), "path": path}]}, 200)
        if answer is not None and answer["added"] != 0:
            self.wrong.append(f"{path} was added twice")

    def _encoded(self, path: str) -> str:
        return base64.b64encode(self.files[path]).decode()

    def _post(self, what: str, body: Any, *allowed: int) -> Any:
        """The answer where it is 200, else None; whatever else it may be must be a sentence."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            response = self.session.post(f"{self.url}/v1/{what}", data=data, headers=_JSON, timeout=LONGEST)
        except requests.RequestException as error:
            self.wrong.append(f"{what} was not answered: {one_line(error)}")
            return None
        if response.status_code not in allowed:
            self.wrong.append(f"{what} answered with {response.status_code}: {response.text[:200]}")
            return None
        if response.status_code == 200:
            return response.json()
        self.refused += 1
        if not str(response.json().get("error", "")).endswith("."):
            self.wrong.append(f"{what} was refused without a sentence: {response.text[:200]}")
        return None
