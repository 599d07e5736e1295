"""SymPy expressions as text in the language of formulas: what a certificate says can be given to it again."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

FUNCTIONS = {"Abs": "abs", "Max": "max", "Min": "min", "Heaviside": "step"}


def written(expression: sp.Basic) -> str:
    """An expression as it is read: max(x1, 0), where(x1 > 0, x1, 0), exp(1)."""
    text: str = _Writer().doprint(expression)
    return text


class _Writer(StrPrinter):
    """SymPy's own text, but for the functions that have another name in the language, and the pieces."""

    def _print_Exp1(self, expression: sp.Expr) -> str:
        return "exp(1)"

    def _named(self, expression: sp.Expr) -> str:
        count = 1 if isinstance(expression, sp.Heaviside) else None  # its value at 0 is the language's own
        arguments = sorted(expression.args[:count], key=sp.default_sort_key)
        return f"{FUNCTIONS[type(expression).__name__]}({', '.join(map(self._print, arguments))})"

    _print_Abs = _print_Max = _print_Min = _print_Heaviside = _named

    def _print_Piecewise(self, expression: sp.Piecewise) -> str:
        *pairs, (text, last) = [(self._print(value), condition) for value, condition in expression.args]
        if last != sp.true:  # it has no value elsewhere, which the language has no word for
            found: str = super()._print_Piecewise(expression)
            return found
        for value, condition in reversed(pairs):
            text = self._where(condition, value, text)
        return str(text)

    def _where(self, condition: Any, value: str, otherwise: str) -> str:
        """The value where a condition holds; one of several comparisons is nested."""
        match condition:
            case sp.And():
                for one in condition.args:
                    value = self._where(one, value, otherwise)
                return value
            case sp.Or():
                for one in condition.args:
                    otherwise = self._where(one, value, otherwise)
                return otherwise
            case sp.Not():
                return self._where(condition.args[0], otherwise, value)
            case sp.Ne():
                return self._where(sp.Eq(*condition.args, evaluate=False), otherwise, value)
            case sp.Eq():
                left, right = map(self._print, condition.args)
                return f"where({left} > {right}, {otherwise}, where({left} < {right}, {otherwise}, {value}))"
        return f"where({self._print(condition)}, {value}, {otherwise})"
