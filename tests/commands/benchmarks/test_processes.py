import os
import subprocess
import sys

import pytest

from reid_tf.commands.benchmarks.processes import in_own_process, resident_bytes
from reid_tf.errors import InputError


def where(offset):
    return os.getpid() + offset


def end(code):
    os._exit(code)


def refuse(value):
    raise InputError(f"It must be another one. Received: {value}.")


def test_another_process_answers():
    assert in_own_process(where, 0) != os.getpid()


def test_a_process_that_ends_is_a_sentence():
    with pytest.raises(InputError, match="The process of 'end' ended before it had an answer"):
        in_own_process(end, 9)
    with pytest.raises(InputError, match="Received: 3"):
        in_own_process(refuse, 3)


def test_memory_grows_by_what_is_taken():
    before = resident_bytes()
    taken = bytearray(b"x" * 50_000_000)
    assert resident_bytes() - before > 0.8 * len(taken)


def test_a_process_that_has_ended_holds_none():
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(InputError, match=f"has ended holds no memory. Received: {process.pid}"):
        resident_bytes(process.pid)
    process.wait()
    with pytest.raises(InputError, match=f"The memory of process {process.pid} is not to be had"):
        resident_bytes(process.pid)
