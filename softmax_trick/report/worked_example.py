"""Theorem A1 for one who has never seen the paper: what is printed, where it fails, in numbers, and its repair.

It follows from the results alone: without the counterexample and the proof of the repair there is no example. The
numbers are computed here from the formula, as fractions, and are shown only if they are those of the counterexample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from html import escape

from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.run import Result
from softmax_trick.proofs.errata_entries import ENTRIES
from softmax_trick.report.claim_card import link
from softmax_trick.report.mathml import formula, quotation, statement
from softmax_trick.report.page import section, table

FALSE, REPAIR = "A1.2-1", "A1.2-1r"
Row = list[Fraction]


def worked_example(results: Mapping[str, Result]) -> str:
    """The example as a section; nothing if the results do not bear it out."""
    false, repair = results.get(FALSE), results.get(REPAIR)
    if not false or not repair or (false.verdict, repair.verdict) != (Verdict.REFUTED, Verdict.PROVED):
        return ""
    witness = false.witness or {}
    if (witness.get("y"), witness.get("sum")) != (_row(_values(1)), f"{sum(_values(1))}"):
        return ""
    [entry] = [entry for entry in ENTRIES if entry.claims[0] == FALSE]
    parts = {
        "Background": "A classifier makes soft scores <i>y</i> = <i>F</i>(<i>x</i>) of its scores <i>x</i>. If "
        "<i>F</i> is SoftMax and the loss is cross-entropy, the gradient sent back is <i>y</i> − <i>t</i>, with "
        "<i>t</i> the target: the “SoftMax trick”. Theorem A1 says which <i>F</i> have it.",
        "Printed": f"“{quotation(entry.printed[0])}” SoftMax, dilated by <i>d</i> and relocated by <i>c</i>; "
        "its Jacobian; and the trick. So, among others: no other function has that Jacobian."
        f'</p><p class="statement">{statement(false.claim.says)}',
        "Where it fails": f"Put one more into the denominator: <code>F = {escape(witness['F'])}</code>. Here it is for "
        f"two classes at <i>x</i> = (0, 0), beside SoftMax:</p>{_numbers()}<p>The Jacobian is the right one and the "
        "trick works, here and at every <i>x</i>. But the values of a SoftMax, dilated or relocated, sum to 1, and "
        f"these do not: {link(false, 'with every step')}",
        "What is true": "The printed proof uses that the values sum to 1, of which the theorem does not speak. With "
        "that asked for, positive values with the sum 1 at one point, it is proved for every number of classes: "
        f"{link(repair, 'with its proof')}",
    }
    terms = "".join(f"<div><dt>{term}</dt><dd><p>{content}</p></dd></div>" for term, content in parts.items())
    return section("example", "The main theorem, refuted in half a minute", [f"<dl>{terms}</dl>"], "example")


# --- the numbers ------------------------------------------------------------------------------------------------------


def _values(slack: int) -> Row:
    """exp(x_i) / (slack + sum_k exp(x_k)) for two classes at x = (0, 0), where each exponential is 1."""
    return [Fraction(1, slack + 2)] * 2


def _derivatives(slack: int) -> list[Row]:
    """Its Jacobian there, by the quotient rule: (delta_ij (slack + 2) - 1) / (slack + 2)^2."""
    return [[Fraction((i == j) * (slack + 2) - 1, (slack + 2) ** 2) for j in range(2)] for i in range(2)]


def _wanted(y: Row) -> list[Row]:
    """diag(y) - y y^T."""
    return [[(i == j) * y[i] - y[i] * y[j] for j in range(2)] for i in range(2)]


def _gradient(jacobian: Sequence[Row], y: Row, t: Row) -> Row:
    """Of cross-entropy, -sum_i t_i log(y_i), with respect to x: by the chain rule."""
    return [sum((-t[i] / y[i] * jacobian[i][j] for i in range(2)), Fraction()) for j in range(2)]


def _numbers() -> str:
    t = [Fraction(1), Fraction(0)]
    columns = []
    for slack in (0, 1):
        y, jacobian = _values(slack), _derivatives(slack)
        gradient, error = _gradient(jacobian, y, t), [one - other for one, other in zip(y, t, strict=True)]
        columns.append(
            {
                "<i>y</i> = <i>F</i>(0, 0)": _row(y),
                "sum of <i>y</i>": f"<b>{sum(y)}</b>",
                "Jacobian of <i>F</i>": _rows(jacobian),
                formula(r"D_y - y y^\top"): _rows(_wanted(y)),
                "gradient of cross-entropy for <i>t</i> = (1, 0)": _row(gradient),
                "<i>y</i> − <i>t</i>": _row(error),
            }
        )
    softmax, other = columns
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{softmax[name]}</td><td>{other[name]}</td></tr>' for name in softmax
    )
    return table(("", "SoftMax", "the counterexample"), rows, "numbers")


def _row(values: Row) -> str:
    return f"({', '.join(map(str, values))})".replace("-", "−")


def _rows(values: Sequence[Row]) -> str:
    return "<br/>".join(map(_row, values))
