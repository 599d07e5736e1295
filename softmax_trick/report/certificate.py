"""A certificate on the console: a row a property, with what was found."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from softmax_trick.certification.certificate import Certificate
from softmax_trick.language.names import names_in_words

COLOURS = {True: "green", False: "red", None: "yellow"}


def certificate_table(certificate: Certificate) -> RenderableType:
    """A row a property: its name, whether it holds, the rung, and its extras, witness and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("property", "holds", "rung"):
        table.add_column(heading, no_wrap=True)
    table.add_column(f"found, {certificate.scope}")
    for name, found in certificate.properties().items():
        answer = Text(found.answer, style=COLOURS[found.holds])
        table.add_row(name.replace("_", " "), answer, found.rung or "-", Text(found.found))
    names = [Text(names_in_words(certificate.names))] if certificate.names else []
    return Group(*names, *(Text(f"note: {note}") for note in certificate.notes), table)
