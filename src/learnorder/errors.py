"""Exceptions that learnorder raises.

::

    LearnOrderError
    ├── ConfigError      a setting is out of range or contradicts another    exit code 2
    ├── DataError        data is missing, unreadable or unfit                exit code 2
    ├── RunFolderError   a run folder is missing, damaged or of another run  exit code 2
    │   └── RunInUse     another process is working on the run               exit code 3
    │       └── RunLost  another process has taken over the run              exit code 3
    └── Interrupted      a signal stopped the run, after its checkpoint      exit code 128 + signal

Each message is one paragraph: the field or file, its value, what is allowed, and how to fix it.
"""

from __future__ import annotations

import difflib
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from reprlib import Repr

_SHOWN = Repr()
"""Shortens values in errors: long enough for paths and commands."""
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 200
_SHOWN.maxlist = _SHOWN.maxtuple = _SHOWN.maxdict = 20


class LearnOrderError(Exception):
    """Base class of all errors that learnorder raises deliberately."""

    exit_code = 2


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


NOTHING = _Nothing()
"""Stands in an error for the value of an option that has none."""


class ConfigError(LearnOrderError, ValueError):
    """A setting is out of range or contradicts another.

    Args:
        field: The setting's dotted name, as on the command line without ``--``.
        value: Its value.
        remedy: What is allowed, with an example.
    """

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(f"{field}: got {_SHOWN.repr(value)}. {remedy}")
        self.field = field
        self.value = value
        self.remedy = remedy


class DataError(LearnOrderError):
    """Data is missing, unreadable or unfit for the experiment."""


class RunFolderError(LearnOrderError):
    """A run folder is missing, damaged, in use, or belongs to another configuration."""


class RunInUse(RunFolderError):  # noqa: N818 - it is an event more than an error
    """Another process is working on the run."""

    exit_code = 3


class RunLost(RunInUse):
    """Another process has taken over the run; this process writes nothing more to it."""


class Interrupted(LearnOrderError):  # noqa: N818 - it is an event more than an error
    """A signal stopped the run after its checkpoint was written.

    Args:
        signal_number: The signal, e.g. ``signal.SIGINT``.
        message: How to continue.
    """

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(f"{signal.Signals(signal_number).name}: {message}")
        self.signal_number = signal_number
        self.exit_code: int = 128 + signal_number


def one_line(error: BaseException) -> str:
    r"""Return the message of another library's error on one line, at most 300 characters.

    >>> one_line(ValueError("first\n   second"))
    'first second'
    """
    return " ".join(str(error).split())[:300]


def reason_of(error: BaseException) -> str:
    """Return the type and message of another library's error on one line.

    >>> reason_of(KeyError("a"))
    "KeyError: 'a'"
    """
    if "Original Traceback" in str(error):  # raised in a DataLoader worker
        return str(error).strip().splitlines()[-1].strip()
    return f"{type(error).__name__}: {one_line(error)}".rstrip(".: ")


@contextmanager
def refusing(refusal: Callable[[str], LearnOrderError]) -> Iterator[None]:
    """Convert exceptions of other code within a ``with`` block into learnorder errors.

    Args:
        refusal: Builds the error from the reason.

    >>> with refusing(lambda reason: DataError(f"Row 3 cannot be read: {reason}.")):
    ...     int("three")
    Traceback (most recent call last):
    ...
    learnorder.errors.DataError: Row 3 cannot be read: ValueError: invalid literal ...
    """
    try:
        yield
    except LearnOrderError:
        raise
    except Exception as error:
        raise refusal(reason_of(error)) from error


def did_you_mean(name: str, known: Iterable[str], most: int = 3, cutoff: float = 0.5) -> str:
    """Return a question that suggests similar known names; empty if none is similar.

    Args:
        name: The unknown name.
        known: The known names.
        most: The maximum number of suggestions.
        cutoff: The minimum similarity of a suggestion, in [0, 1].

    >>> did_you_mean("AdmW", ["AdamW", "SGD"])
    'Did you mean AdamW?'
    """
    near = difflib.get_close_matches(name, known, n=most, cutoff=cutoff)
    return f"Did you mean {' or '.join(near)}?" if near else ""
