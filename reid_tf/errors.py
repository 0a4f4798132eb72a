"""The one kind of error that a user can mend."""


class InputError(ValueError):
    """Something the user gave is wrong: an option, a file, a data set.

    The message is one sentence with the value received and what is allowed. The command
    line tools print it and exit with code 2; every other exception is a defect of the
    program and keeps its traceback.
    """


def one_line(error: Exception, longest: int = 200) -> str:
    """Returns an error's text without line breaks, cut where it is longer."""
    text = " ".join(str(error).split())
    return text if len(text) <= longest else f"{text[:longest]}..."
