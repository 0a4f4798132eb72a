"""Spoil images, configurations and tables, put them through the public doors, and count what those make of them.

A door answers, or refuses in one sentence. Faults are everything else: another
exception, a case without an end, an answer that makes no sense (decoders that differ, an
accepted configuration that does not build, numbers that are not finite or beyond 64
bits), and memory that grows. A case follows from the seed, its kind and its number
alone. Needs Linux.
"""

import argparse
import contextlib
import faulthandler
import logging
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from reid_tf.commands.benchmarks.fuzz_doors import (
    ANSWERED,
    FAULTS,
    HANG,
    KINDS,
    ONE_DECODER,
    TRACEBACK,
    FaultError,
    check_sentence,
)
from reid_tf.commands.benchmarks.processes import resident_bytes
from reid_tf.errors import InputError

REFUSED = "refused"
COLUMNS = (ANSWERED, REFUSED, ONE_DECODER, *FAULTS)
SECONDS = 60.0  # after which a case hangs; most take milliseconds, a network that is built some seconds
MEGABYTES = 400.0  # by which the process may grow after the first tenth of the cases of a kind


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the numbers of cases, the seed and the single case to a parser."""
    for name, kind in KINDS.items():
        parser.add_argument(f"--{name}", type=int, default=kind.cases, metavar="N", help="cases (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the cases (%(default)s)")
    parser.add_argument("--only", metavar="KIND:NUMBER", help="run this case alone and show where it fails: images:17")


def main(arguments: argparse.Namespace) -> None:
    """Runs the cases and prints their counts, and the faults with the case of each."""
    name, _, number = (arguments.only or "").partition(":")
    if arguments.only and (name not in KINDS or not number.isdecimal()):
        raise InputError(f"--only names a case as KIND:NUMBER, of {', '.join(KINDS)}. Received: {arguments.only!r}.")
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary), _hushed() as shown:
        folder = Path(temporary)
        if arguments.only:
            print(attempt(KINDS[name](folder), case(arguments.seed, name, int(number)), shown))
            return
        results = {name: run(name, getattr(arguments, name), arguments.seed, folder, shown) for name in KINDS}
    print(f"| seed {arguments.seed} | cases | {' | '.join(COLUMNS)} | MB grown |\n|{'---|' * (len(COLUMNS) + 3)}")
    for name, (counts, _, grown) in results.items():
        print(f"| {name} | {counts.total():,} | {' | '.join(f'{counts[c]:,}' for c in COLUMNS)} | {grown:.0f} |")
    faults = [fault for _, faults, _ in results.values() for fault in faults]
    for fault in faults:
        print(f"{fault} (--seed {arguments.seed})")
    sys.exit(1 if faults else 0)


def run(kind: str, cases: int, seed: int, folder: Path, shown: TextIO) -> tuple[Counter[str], list[str], float]:
    """Runs the cases of one kind.

    Args:
        kind: str. One of `KINDS`.
        cases: int >= 0. How many.
        seed: int.
        folder: Path. Where they are written.
        shown: file. Takes the progress bar, and a case that hangs within a library.

    Returns:
        Counter of the cases by their outcome, a line for each fault, and the megabytes
        by which the process has grown since the first tenth of the cases.
    """
    doors, counts, faults, warm = KINDS[kind](folder), Counter[str](), [], 0.0
    for number in tqdm(range(cases), desc=kind, unit="case", disable=None, file=shown):
        if number == cases // 10:
            warm = resident_bytes() / 1e6
        (folder / "case").write_text(f"--only {kind}:{number} --seed {seed}")
        try:
            counts[attempt(doors, case(seed, kind, number), shown)] += 1
        except FaultError as fault:
            counts[fault.kind] += 1
            faults.append(f"{kind}:{number} {fault}")
    grown = resident_bytes() / 1e6 - warm if cases else 0.0
    if grown > MEGABYTES:
        faults.append(f"{kind} grew by {grown:.0f} MB, more than {MEGABYTES:.0f}")
    return counts, faults, grown


def case(seed: int, kind: str, number: int) -> random.Random:
    """Returns what a case is drawn from."""
    return random.Random(f"{seed}:{kind}:{number}")


def attempt(doors: Any, chance: random.Random, shown: TextIO) -> str:
    """Puts one case through its doors.

    Args:
        doors: instance of one of `KINDS`.
        chance: random.Random, as `case()` returns it.
        shown: file. Takes the stack of a case that hangs within a library, where no
            signal reaches it; the process then ends.

    Returns:
        str, one of `COLUMNS`.

    Raises:
        FaultError: it is none that is allowed.
    """

    def stop(*_: Any) -> None:
        raise FaultError(HANG, f"no end after {SECONDS:g} s")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(3 * SECONDS, exit=True, file=shown)
    try:
        return doors.put(chance)
    except FaultError:
        raise
    except InputError as error:
        check_sentence(error)
        return REFUSED
    except Exception as error:
        raise FaultError(TRACEBACK, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _hushed() -> Iterator[TextIO]:
    """Silences the log and what libraries write past Python, and yields the standard error as it was."""
    logging.disable(logging.ERROR)
    with os.fdopen(os.dup(2), "w") as shown, open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield shown
        finally:
            os.dup2(shown.fileno(), 2)
            logging.disable(logging.NOTSET)
