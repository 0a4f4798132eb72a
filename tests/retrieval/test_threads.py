import threading

import numpy as np
import pytest

from reid_tf.retrieval.threads import each_alone, row_threads


@pytest.mark.parametrize("count", [0, 1, 32, 1000])
def test_every_row_is_worked_on_once(count):
    visits = np.zeros(count, int)

    def visit(rows):
        visits[rows] += 1

    with row_threads() as over_rows:
        over_rows(visit, count)
        over_rows(visit, count)
    assert (visits == 2).all()


def test_errors_of_the_work_are_raised():
    def fail(rows):
        raise ZeroDivisionError(f"at {rows.start}")

    with pytest.raises(ZeroDivisionError, match="at 0"), row_threads() as over_rows:
        over_rows(fail, 10)


def test_things_one_at_a_time_and_rows_within_them():
    def rows_of(number):
        visits = np.zeros(100, int)

        def visit(rows):
            assert threading.get_ident() == here
            visits[rows] += number

        here = threading.get_ident()
        with row_threads() as over_rows:
            over_rows(visit, 100)
        return visits.tolist()

    with each_alone() as over_things:
        assert over_things(rows_of, 5) == [[number] * 100 for number in range(5)]
