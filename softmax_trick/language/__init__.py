"""The language of formulas: what a formula is, how it is read and written, decided and derived.

    >>> from softmax_trick.language import decide, derive, parse
    >>> print(decide("grad(-sum(t*log(softmax(x))), x)", "softmax(x) - t", let="t: K"))
    not equal, ...
    right, for every size, would be: softmax(x)*sum(t) - t    (the mass of t)

Modules: `expression` and `functions` (what a formula is), `grammar` and `text` (read and written), `latex`; readings by
one walk (`interpreter`): `canonical` (every size), `enclosure` (Arb), `residues` (a finite field), `algebraic` (SymPy),
`tensors` (torch); `decision`, `relations` and `nearest` on them, `derivation` on those.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softmax_trick.language.decision import Decision
    from softmax_trick.language.derivation import Derivation, derive
    from softmax_trick.language.expression import AxesError, Expression, LanguageError, variable
    from softmax_trick.language.grammar import parse
    from softmax_trick.language.latex import to_latex
    from softmax_trick.language.statements import decide
    from softmax_trick.language.text import to_text

_HOME = {
    "AxesError": "expression",
    "Decision": "decision",
    "Derivation": "derivation",
    "Expression": "expression",
    "LanguageError": "expression",
    "decide": "statements",
    "derive": "derivation",
    "parse": "grammar",
    "to_latex": "latex",
    "to_text": "text",
    "variable": "expression",
}

__all__ = [
    "AxesError",
    "Decision",
    "Derivation",
    "Expression",
    "LanguageError",
    "decide",
    "derive",
    "parse",
    "to_latex",
    "to_text",
    "variable",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'softmax_trick.language' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"softmax_trick.language.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
