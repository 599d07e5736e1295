"""How results look where they are not printed: at Python's prompt and in a notebook."""

from __future__ import annotations

from html import escape


class Shown:
    """An object that shows itself as its text, `str`: short, and without addresses of memory."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return f"<pre>{escape(repr(self))}</pre>"
