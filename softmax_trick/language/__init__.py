r"""The language of formulas: what a formula is, how it is read and written.

    >>> from softmax_trick.language import parse, to_latex, variable
    >>> print(to_latex(parse("grad(logsumexp(x) - x[c], x)")))
    \nabla_{x} \left[\text{LogSumExp}(x) - x_{c}\right]

Modules: `expression` and `functions` (what a formula is), `interpreter` (the walk of all readings), `grammar` on
`scanner`, `syntax` and `inference` (from text), `text` and `latex` (to text). Nothing here knows SymPy, torch or Arb:
they come in with `softmax_trick.readings`; `softmax_trick.decide` and `softmax_trick.derive` stand on those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from softmax_trick.system.lazy import names_from

if TYPE_CHECKING:
    from softmax_trick.language.expression import AxesError, Expression, LanguageError, variable
    from softmax_trick.language.grammar import parse
    from softmax_trick.language.latex import to_latex
    from softmax_trick.language.text import to_text

_HOME = {
    "AxesError": "softmax_trick.language.expression",
    "Expression": "softmax_trick.language.expression",
    "LanguageError": "softmax_trick.language.expression",
    "parse": "softmax_trick.language.grammar",
    "to_latex": "softmax_trick.language.latex",
    "to_text": "softmax_trick.language.text",
    "variable": "softmax_trick.language.expression",
}

__all__ = ["AxesError", "Expression", "LanguageError", "parse", "to_latex", "to_text", "variable"]


__getattr__, __dir__ = names_from(__name__, _HOME)
