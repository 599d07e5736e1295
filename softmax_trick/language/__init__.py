"""The language of formulas: what a formula is, how it is read and written.

    >>> from softmax_trick.language import parse, to_latex, variable
    >>> print(to_latex(parse("grad(logsumexp(x) - x[c], x)")))

Modules: `expression` and `functions` (what a formula is), `interpreter` (the walk of all readings), `grammar` on
`scanner`, `syntax` and `inference` (from text), `text` and `latex` (to text). Nothing here knows SymPy, torch or Arb:
they come in with `softmax_trick.readings`; `softmax_trick.decide` and `softmax_trick.derive` stand on those.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softmax_trick.language.expression import AxesError, Expression, LanguageError, variable
    from softmax_trick.language.grammar import parse
    from softmax_trick.language.latex import to_latex
    from softmax_trick.language.text import to_text

_HOME = {
    "AxesError": "expression",
    "Expression": "expression",
    "LanguageError": "expression",
    "parse": "grammar",
    "to_latex": "latex",
    "to_text": "text",
    "variable": "expression",
}

__all__ = ["AxesError", "Expression", "LanguageError", "parse", "to_latex", "to_text", "variable"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'softmax_trick.language' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"softmax_trick.language.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
