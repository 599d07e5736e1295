"""Decisions as a notebook shows them: each in a line, and none that comes out otherwise than the text says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from softmax_trick.deciding.decision import Decision
from softmax_trick.ledger.cache import Cache
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS
from softmax_trick.statements.statement import decide
from softmax_trick.symbolic import decide as decide_zero

# The claims of the paper: each is decided once, after those that it rests on. Evidence is kept as by `make verify`.
decided = Ledger(CLAIMS, cache=Cache()).result


class NotAsSaid(Exception):
    """A decision came out otherwise than the notebook says."""


def zero(*expressions: sp.Expr, given: Mapping[sp.Expr, sp.Expr | int] | None = None) -> None:
    """Decide that expressions of SymPy, over K classes, are zero, and say so.

    Raises:
        NotAsSaid: one is not, or it is undecided.
    """
    for expression in expressions:
        found = decide_zero(expression, given=given or {})
        if found.status != "zero":
            raise NotAsSaid(f"{found.status}: {expression}")
    print("decided: it is zero" if len(expressions) == 1 else f"decided: all {len(expressions)} are zero")


def proved(left: Any, right: Any = None, let: str = "") -> None:
    """Decide a statement of the language of formulas, and say for which sizes it is proved.

    Raises:
        NotAsSaid: it is not.
    """
    print(_as_said("proved", left, right, let))


def refuted(left: Any, right: Any = None, let: str = "") -> None:
    """Decide a statement of the language of formulas, and say where it is refuted.

    Raises:
        NotAsSaid: it is not.
    """
    print(_as_said("refuted", left, right, let))


def _as_said(verdict: str, left: Any, right: Any, let: str) -> Decision:
    found = decide(left, right, let=let)
    if found.verdict != verdict:
        raise NotAsSaid(f"{left}: {found}")
    return found
