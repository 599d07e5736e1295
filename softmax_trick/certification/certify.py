"""Certify a normalizer from its formula: what the paper did for SoftMax by hand, for any F in one call.

>>> import sympy as sp
>>> from softmax_trick import certify
>>> x1, x2 = sp.symbols("x1 x2", real=True)
>>> found = certify([1 / (1 + sp.exp(x2 - x1)), 1 / (1 + sp.exp(x1 - x2))], [x1, x2])
>>> found.trick.holds, found.implicit_loss.extras["expression"]
(True, '-t1*x1 - t2*x2 + log(exp(x1) + exp(x2))')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from softmax_trick.certification.certificate import Certificate

if TYPE_CHECKING:
    import sympy as sp

TIME_LIMIT = 60.0  # seconds


def certify(
    F: str | Sequence[str] | Sequence[sp.Expr],
    x: str | Sequence[sp.Symbol] = "x",
    assumptions: object = True,
    time_limit: float = TIME_LIMIT,
    let: str = "",
) -> Certificate:
    """Decide the properties of a normalizer, given by a formula.

    A property holds if it does for all real scores and all values of the parameters that are allowed. One that fails
    for some parameters only says for which it holds (`Property.where`).

    Args:
        F: one formula as text, for every K, in the scores x: "softmax(d*x - c)"; or the components F_1..F_K, as texts
            in the scores x1..xK (docs/formulas.md), or as SymPy expressions in the scores and in parameters, built
            from rational numbers, + - * / **, exp, log, sqrt, tanh, sinh, cosh, Abs, Max, Min, sign, Heaviside and
            Piecewise. Texts are certified as they are written: x1/x1 has no value at 0.
        x: of texts the name of the scores; else the scores x_1..x_K, distinct symbols. Symbols without assumptions are
            taken as real.
        assumptions: what is known of the parameters of SymPy expressions: a conjunction of Q.positive(a),
            Q.negative(a), Q.nonnegative(a), Q.nonpositive(a), Q.nonzero(a), Q.real(a). Parameters of which nothing is
            said keep the assumptions of their symbols, and are real.
        time_limit: in seconds; what is not decided by then is undecided.
        let: declarations of the names in texts, "d: K; tau: positive" (docs/language.md).

    Returns:
        the certificate; a property that was not decided has holds = None and a reason.

    Raises:
        TypeError: a component is not a SymPy expression, or a score is not a symbol.
        ValueError: there are not as many scores as components, a score occurs twice, a score is assumed to be more than
            real, a parameter to be an integer, two symbols have one name, or an expression is too large; of a text
            (LanguageError) that it has no meaning or goes beyond a limit, with the place.
    """
    if isinstance(x, str):
        return _of_text(F, x, let, time_limit)
    from softmax_trick.certification.given_size import certify_components

    certificate = certify_components(F, x, time_limit, assumptions)
    free = {symbol.name for one in F if not isinstance(one, str) for symbol in one.free_symbols}
    scores = [one.name for one in x if not isinstance(one, str)]
    names = dict.fromkeys(scores, "score") | dict.fromkeys(sorted(free.difference(scores)), "parameter")
    return replace(certificate, names=names)


def _of_text(F: str | Sequence[Any], x: str, let: str, time_limit: float) -> Certificate:
    from softmax_trick.certification.normalizer import read_normalizer

    if not isinstance(F, str) and not all(isinstance(one, str) for one in F):
        raise TypeError("the components are no texts: name their scores too, as in certify([f1, f2], [x1, x2])")
    found = read_normalizer(F, x, let)
    if found.k is None:
        from softmax_trick.certification.every_size import certify_formula

        certificate = certify_formula(found.formulas[0], found.x, time_limit)
    else:
        from softmax_trick.certification.components import components_of
        from softmax_trick.certification.given_size import certify_components

        given = components_of(found)
        certificate = certify_components(given.components, given.scores, time_limit, needs=given.needs)
    has_scores = any(found.x in one.variables for one in found.formulas)
    return replace(certificate, names=found.names, notes=() if has_scores else certificate.notes)
