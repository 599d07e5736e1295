"""Standard output and standard error, which may be closed, full, or a pipe that nobody reads to its end."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from softmax_trick.system.files import printable

FAILED = 1


class Parser(argparse.ArgumentParser):
    """A parser whose help and version, too, fail where they cannot be written; argparse swallows that."""

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is sys.stdout:
            emit(message)
        else:
            super()._print_message(message, file)


class OutputError(Exception):
    """Standard output could not be written; the message says why, and is empty where a reader has had enough."""


def guarded(command: Callable[[], int], name: str) -> int:
    """The exit status of a command; `FAILED`, after one line, if what it said could not be written.

    Args:
        command: it may print, and raise SystemExit. An OSError that it lets through is taken for one of its output.
        name: with which the line begins.
    """
    if sys.stderr is None:  # closed: print would take standard output in its place
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, it lasts as long as the process
    if sys.stdout is None:
        complain(f"{name}: standard output is closed: > /dev/null discards what is said")
        return FAILED
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ∂ shows a question mark
    try:
        try:
            return command()
        except OSError as error:
            raise _lost(error) from error
        finally:
            flush()
    except OutputError as error:
        if str(error):
            complain(f"{name}: cannot write to standard output: {error}")
        return FAILED


def say(text: str) -> None:
    """Print a line to standard output, at once.

    Raises:
        OutputError: it cannot be written.
    """
    emit(printable(text) + "\n")


def emit(text: str) -> None:
    """Write a text to standard output, as it is and at once.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.write(text)
    except OSError as error:
        raise _lost(error) from error
    flush()


def flush() -> None:
    """Write out what has been printed so far.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise _lost(error) from error


def complain(text: str) -> None:
    """Print to standard error; if that cannot be written either, there is nobody left to tell."""
    try:
        print(printable(text), file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def _lost(error: OSError) -> OutputError:
    """What to raise; the rest of the output goes nowhere, or Python would try once more at its end."""
    _discard(sys.stdout)
    return OutputError("" if error.errno == errno.EPIPE else error.strerror or str(error))


def _discard(stream: object) -> None:
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
        os.close(nowhere)
