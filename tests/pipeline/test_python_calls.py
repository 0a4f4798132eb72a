import itertools
import subprocess
import sys
import threading
import time

import pytest

from reid_tf.pipeline.python_calls import PythonCalls


def test_functions_and_streams_are_unchanged_until_the_end():
    calls = PythonCalls()
    double, count = calls.function(lambda x: 2 * x), calls.stream(itertools.count)
    assert double(4) == 8
    stream = count()
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    assert next(count()) == 0
    assert list(calls.stream(lambda: iter("ab"))()) == ["a", "b"]
    calls.end()
    assert list(stream) == []
    with pytest.raises(RuntimeError, match="process is ending"):
        double(4)


def test_an_error_in_a_function_passes_and_is_counted_out():
    calls = PythonCalls()
    with pytest.raises(ZeroDivisionError):
        calls.function(lambda: 1 / 0)()
    started = time.perf_counter()
    calls.end()
    assert time.perf_counter() - started < 5


def test_the_end_waits_for_a_function_at_work():
    calls, begun, done = PythonCalls(), threading.Event(), []

    def slow():
        begun.set()
        time.sleep(0.2)
        done.append(True)

    thread = threading.Thread(target=calls.function(slow))
    thread.start()
    begun.wait()
    calls.end()
    assert done
    thread.join()


ENDS_AT_ONCE = """
import numpy as np, tensorflow as tf
from reid_tf.pipeline.python_calls import CALLS
images = np.zeros((100, 64, 32, 3), np.uint8)
def indices():
    for step in range(10**9):
        yield np.arange(8) + step % 7
dataset = tf.data.Dataset.from_generator(CALLS.stream(indices), output_signature=tf.TensorSpec([8], tf.int64))
look_up = CALLS.function(lambda chosen: images[chosen])
dataset = dataset.map(lambda chosen: tf.numpy_function(look_up, [chosen], tf.uint8), num_parallel_calls=2).prefetch(400)
iterator = iter(dataset)
for _ in range(5):
    next(iterator)
"""


def test_a_process_ends_while_its_pipeline_runs_ahead():
    done = subprocess.run(
        [sys.executable, "-c", ENDS_AT_ONCE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
