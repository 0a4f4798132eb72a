"""What people said of two images: one person, or not. Kept as a CSV file that grows line by line."""

import csv
import datetime
from pathlib import Path

from reid_tf.errors import InputError
from reid_tf.files import check_output, claimed

COLUMNS = ("query", "result", "same", "when")


class Marks:
    """Labels of pairs: `query,result,same,when`, of which the last line of a pair counts.

    Args:
        path: str or Path. Of the CSV file; made with the first mark.

    Raises:
        InputError: it cannot be written, or is there and has other columns.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_output(path)
        if self.path.exists():
            try:
                with self.path.open(encoding="utf-8", newline="") as file:
                    columns = next(csv.reader(file), [])
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                raise InputError(f"{str(path)!r} cannot be read as a CSV file: {error}.") from None
            if columns != list(COLUMNS):
                raise InputError(
                    f"A file of marks has the columns {', '.join(COLUMNS)}. Received: "
                    f"{', '.join(columns) or 'none'} in {str(path)!r}."
                )

    def add(self, query: str, result: str, same: bool) -> None:
        """Keeps one answer.

        Args:
            query: str. Id of the image that was searched with.
            result: str. Id of the row that was found.
            same: bool. Whether both show one person.
        """
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        with claimed(self.path, wait=True), self.path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not file.tell():
                writer.writerow(COLUMNS)
            writer.writerow((query, result, str(same).lower(), when))

    def __len__(self) -> int:
        if not self.path.exists():
            return 0
        with self.path.open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.reader(file)) - 1
