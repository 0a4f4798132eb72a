"""The one kind of error that a user can mend."""

import importlib.util


class InputError(ValueError):
    """Something the user gave is wrong: an option, a file, a data set.

    The message is one sentence with the value received and what is allowed. The command
    line tools print it and exit with code 2; every other exception is a defect of the
    program and keeps its traceback.
    """

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())  # a value shown may have lines


def require_package(package: str, needed_by: str, install: str | None = None) -> None:
    """Says at once, not after a minute's work, that a package is missing.

    Args:
        package: str. Its name; it is imported by the same one, with underscores. One
            inside another has a dot: "google.protobuf".
        needed_by: str. What needs it, as the message begins.
        install: str. What pip is given, in quotes where a shell needs them, or None for
            the package itself.

    Raises:
        InputError: it is not installed.
    """
    name = package.replace("-", "_")
    outer = name.rpartition(".")[0]  # find_spec imports it
    if (outer and importlib.util.find_spec(outer) is None) or importlib.util.find_spec(name) is None:
        raise InputError(
            f"{needed_by} needs the package {package!r}, which is not installed: pip install {install or package}."
        )


def one_line(error: Exception, longest: int = 200) -> str:
    """Returns an error's text without line breaks, cut where it is longer."""
    text = " ".join(str(error).split())
    return text if len(text) <= longest else f"{text[:longest]}..."
