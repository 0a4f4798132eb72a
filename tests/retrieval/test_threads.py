import numpy as np
import pytest

from reid_tf.retrieval.threads import row_threads


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
