"""A certificate on the console: a row a property, with what was found."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from softmax_trick.certification.certificate import Certificate, Property
from softmax_trick.language.inference import names_in_words

ANSWERS = {True: ("yes", "green"), False: ("no", "red"), None: ("undecided", "yellow")}


def certificate_table(certificate: Certificate) -> RenderableType:
    """A row a property: its name, whether it holds, the rung, and its extras, witness and reason."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("property", "holds", "rung"):
        table.add_column(heading, no_wrap=True)
    table.add_column("found, for every K >= 1" if certificate.k is None else f"found, for K = {certificate.k}")
    for name, found in certificate.properties().items():
        word, colour = ANSWERS[found.holds]
        table.add_row(name.replace("_", " "), Text(word, style=colour), found.rung or "-", Text(_found(found)))
    names = [Text(names_in_words(certificate.names))] if certificate.names else []
    return Group(*names, *(Text(f"note: {note}") for note in certificate.notes), table)


def _found(found: Property) -> str:
    extras = {name: value for name, value in found.extras.items() if value is not None}
    if "range" in extras and extras["range"] == extras.get("bound"):  # the range says more, by the same numbers
        del extras["bound"]
    parts = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in extras.items()]
    if found.where:
        parts.insert(0, f"it holds where {' and '.join(found.where)}")
    if found.witness:
        parts.append("at " + ", ".join(f"{name} = {value}" for name, value in found.witness.items()))
    if found.reason:
        parts.append(found.reason)
    return "; ".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_plain(entry) for entry in value) + ")"
    return "-" if value is None else str(value)
