"""What each notebook begins with, by one line: `from softmax_trick.report.notebooks.converse import *`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed() -> Iterator[None]:
    """Imports inside it that fail say what to install, in a line.

    Raises:
        SystemExit: one fails.
    """
    try:
        yield
    except ImportError as missing:
        raise SystemExit(f"{missing} (this notebook needs: pip install 'softmax-trick[notebooks]')") from None
