"""What `certify` finds out about a normalizer: one property after the other, each with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from html import escape
from typing import Any

from softmax_trick.language.names import names_in_words
from softmax_trick.ledger.claims import Rung
from softmax_trick.system.shown import Shown


@dataclass(frozen=True, repr=False)
class Property(Shown):
    """Whether a property holds, and how that is known.

    Attributes:
        holds: true, false, or None if it was not decided.
        rung: how strong the evidence is; None if it was not decided.
        witness: an exact point at which the property fails, by the names of scores and parameters; else None.
        reason: why it was not decided, or what the answer rests on.
        extras: what belongs to this property alone, such as the dilation of a softmax type; expressions as text.
        where: of a property that does not hold for all parameters, conditions on them under which it does; the extras
            are then those under these conditions.
    """

    holds: bool | None
    rung: Rung | None = None
    witness: dict[str, str] | None = None
    reason: str = ""
    extras: dict[str, Any] = field(default_factory=dict)
    where: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """Whether it holds, in a word."""
        return {True: "yes", False: "no", None: "undecided"}[self.holds]

    @property
    def found(self) -> str:
        """What was found, in words: extras, conditions, witness and reason."""
        extras = {name: value for name, value in self.extras.items() if value is not None}
        if "range" in extras and extras["range"] == extras.get("bound"):  # the range says more, by the same numbers
            del extras["bound"]
        parts = [f"{name.replace('_', ' ')} {_plain(value)}" for name, value in extras.items()]
        if self.where:
            parts.insert(0, f"it holds where {' and '.join(self.where)}")
        if self.witness:
            parts.append("at " + ", ".join(f"{name} = {value}" for name, value in self.witness.items()))
        return "; ".join([*parts, self.reason] if self.reason else parts)

    def __str__(self) -> str:
        said = f": {self.found}" if self.found else ""
        return f"{self.answer}{f' ({self.rung})' if self.rung else ''}{said}"

    def as_json(self) -> dict[str, Any]:
        """The property as plain data."""
        return {
            "holds": self.holds,
            "rung": self.rung,
            "witness": self.witness,
            "reason": self.reason or None,
            **({"where": list(self.where)} if self.where else {}),
            **self.extras,
        }


@dataclass(frozen=True, repr=False)
class Certificate(Shown):
    """The properties of a normalizer F: R^K -> R^K.

    (P1), (P2) and (P3) are those of Theorem A1, repaired (paper, Appendix A; `proofs/theorem_a1.py`).

    Each is one of a function on all of R^K, for all values of the parameters: of an F that is not defined everywhere
    none holds.

    Attributes:
        k: the number of classes; None for every K, of a normalizer that is given as one formula.
        defined: F has a value at every point of R^K, its formula taken as it is written: x/x has none at 0.
        differentiable: F is differentiable on all of R^K.
        unity: the components sum to 1 everywhere.
        positive: every component is positive everywhere.
        symmetric_jacobian: dF_i/dx_j = dF_j/dx_i wherever F is differentiable.
        softmax_type: (P2), J = (D_y - y y^T) D_d. Extras: `dilation` (d, K entries), `relocation` (c, its first entry
            on the support 0; None outside), `slack` (C), `support` (the classes, from 1, whose component is not 0).
        generalised_softmax: (P1), F(x) = SoftMax(d * x - c). Extras: `dilation`, `relocation`.
        trick: (P3), J^T (-t / y) = d * (y - t) for every target t in the simplex. Extra: `dilation`.
        implicit_loss: there is a function with gradient F(x) - t. Extras: `potential` (P with grad P = F, or None),
            `expression` (P(x) - <x, t>, or None), `entry` (of the Jacobian that is not symmetric, [i, j], or None).
        convex: that function is convex.
        order_preserving: x_i >= x_j implies F_i >= F_j.
        bounded: every component is. Extras: `range` ([infimum, supremum] of each component, "-oo" and "oo" where there
            is none, None where unknown), `bound` ([low, high] between which it is shown to stay, perhaps not tightly).
        lipschitz: F is Lipschitz in the 2-norm. Extras: `bound`, `exact` (whether no smaller one does).
        backward: of code, that its backward is its derivative; None for formulas.
        notes: what the reader has to know of F, such as that no score occurs in it.
        names: of F as text, how each name was read: {"x": "scores, vector over K", "a": "parameter, scalar"}.
    """

    k: int | None
    defined: Property
    differentiable: Property
    unity: Property
    positive: Property
    symmetric_jacobian: Property
    softmax_type: Property
    generalised_softmax: Property
    trick: Property
    implicit_loss: Property
    convex: Property
    order_preserving: Property
    bounded: Property
    lipschitz: Property
    backward: Property | None = None
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def properties(self) -> dict[str, Property]:
        """The properties by name, in their order."""
        found = {name: getattr(self, name) for name in PROPERTIES}
        return found if self.backward is None else {**found, "backward": self.backward}

    @property
    def _head(self) -> list[str]:
        """How the names were read, and what the reader has to know."""
        read = [names_in_words(self.names)] if self.names else []
        return [*read, *(f"note: {note}" for note in self.notes)]

    @property
    def scope(self) -> str:
        """For which K it is a certificate."""
        return "for every K >= 1" if self.k is None else f"for K = {self.k}"

    def __str__(self) -> str:
        rows = [f"{name.replace('_', ' '):<20} {found}" for name, found in self.properties().items()]
        return "\n".join([*self._head, *rows, self.scope])

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{escape(line)}</p>" for line in self._head)
        rows = "".join(
            f"<tr><td>{name.replace('_', ' ')}</td><td>{one.answer}</td><td>{one.rung or '-'}</td>"
            f'<td style="text-align: left">{escape(one.found)}</td></tr>'
            for name, one in self.properties().items()
        )
        names = f"<th>property</th><th>holds</th><th>rung</th><th>found, {self.scope}</th>"
        return f"{head}<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"

    def as_json(self) -> dict[str, Any]:
        """The certificate as plain data, in the shape of softmax_trick/certification/certificate.schema.json."""
        found: dict[str, Any] = {name: one.as_json() for name, one in self.properties().items()}
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {"k": self.k, "names": dict(self.names), **found, **notes}


PROPERTIES = tuple(entry.name for entry in fields(Certificate) if entry.name not in ("k", "backward", "notes", "names"))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_plain(entry) for entry in value) + ")"
    return "-" if value is None else str(value)
