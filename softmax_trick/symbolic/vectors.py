r"""Vectors and matrices over K classes, for symbolic K and for given K: what the proofs are written in.

A `Vector` is its entry as a function of the index, a `Matrix` its entry as a function of row and column. Both have the
usual arithmetic (component by component for vectors, as the paper's circled dot and division).

    >>> from softmax_trick.symbolic import decide
    >>> x, d, i, j = EVERY_K.vector("x"), EVERY_K.vector("d"), index("i"), index("j")
    >>> y = softmax(d * x)
    >>> difference = jacobian(y, x) - (diag(y) - outer(y, y)) @ diag(d)   # paper, equation (A2)
    >>> decide(difference[i, j]).status
    'zero'

The classes over which a vector runs are `EVERY_K` or `GivenK(3)`. The two share no code but the entries' formulas:
the first sums by `SumOver` and differentiates entries x_i by deltas; the second writes all sums out in symbols x1, x2,
... and leaves the differentiation to SymPy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, overload

import sympy as sp

from softmax_trick.symbolic.contraction import contract
from softmax_trick.symbolic.indexed import K, SumOver
from softmax_trick.symbolic.replay import confirm

Position = Any  # an index symbol, a SymPy integer or an int: SymPy's classes are untyped


def index(name: str) -> sp.Symbol:
    """A free index, running over 1..K."""
    return sp.Symbol(name, integer=True, positive=True)


class Classes(ABC):
    """The K classes over which vectors run."""

    @property
    @abstractmethod
    def size(self) -> sp.Expr:
        """K."""

    @abstractmethod
    def vector(self, name: str, positive: bool | None = None) -> Vector:
        """The vector of real symbols name_1, ..., name_K; positive ones if asked for."""

    @abstractmethod
    def matrix(self, name: str) -> Matrix:
        """The matrix of real symbols name_ij."""

    def position(self, position: Position) -> sp.Expr:
        """What stands in the place of an index.

        Raises:
            IndexError: there is no such class: they are numbered from 1.
            TypeError: it is no index.
        """
        place = sp.sympify(position, strict=True)
        if not isinstance(place, sp.Expr) or place.is_integer is False or place.is_Float:
            raise TypeError(f"an index is a symbol or a whole number, not {position}")
        if place.is_Integer and (place < 1 or (self.size - place).is_negative):
            raise IndexError(f"there is no class {place}: classes are numbered from 1 to {self.size}")
        return place

    @abstractmethod
    def sum(self, term: Callable[[Position], sp.Expr]) -> sp.Expr:
        """sum_{k=1}^K term(k)."""

    @abstractmethod
    def derivative(self, expression: sp.Expr, symbol: sp.Expr) -> sp.Expr:
        """The partial derivative by an entry of a vector of symbols."""

    def constant(self, value: sp.Expr | int) -> Vector:
        """The vector with every entry equal to the value."""
        entry = sp.sympify(value, strict=True)
        return Vector(self, lambda i: entry)

    def unit(self, position: Position) -> Vector:
        """e_j, the one-hot vector of class j: its entry i is delta_ij."""
        return Vector(self, lambda i: sp.KroneckerDelta(i, position))


class _EveryK(Classes):
    @property
    def size(self) -> sp.Expr:
        return K

    def __repr__(self) -> str:
        return "EVERY_K"

    def vector(self, name: str, positive: bool | None = None) -> Vector:
        base = sp.IndexedBase(name, real=True, positive=positive)
        return Vector(self, lambda i: base[i])

    def matrix(self, name: str) -> Matrix:
        base = sp.IndexedBase(name, real=True)
        return Matrix(self, lambda i, j: base[i, j])

    def sum(self, term: Callable[[Position], sp.Expr]) -> sp.Expr:
        k = sp.Dummy("k", integer=True, positive=True)
        return SumOver(term(k), k)

    def derivative(self, expression: sp.Expr, symbol: sp.Expr) -> sp.Expr:
        if not isinstance(symbol, sp.Indexed):
            raise TypeError(f"derivatives are taken by the entries of a vector of symbols, not by {symbol}")
        derivative = expression.diff(symbol)
        contracted = contract(derivative, max((int(i) for i in symbol.indices if i.is_Integer), default=1))
        confirm(derivative - contracted, "a derivative")
        return contracted


@dataclass(frozen=True)
class GivenK(Classes):
    """A given number of classes; entries are plain symbols x1, x2, ..., sums are written out."""

    classes: int

    @property
    def size(self) -> sp.Expr:
        return sp.Integer(self.classes)

    def vector(self, name: str, positive: bool | None = None) -> Vector:
        return Vector(self, lambda i: sp.Symbol(f"{name}{i}", real=True, positive=positive))

    def matrix(self, name: str) -> Matrix:
        return Matrix(self, lambda i, j: sp.Symbol(f"{name}{i}_{j}", real=True))

    def sum(self, term: Callable[[Position], sp.Expr]) -> sp.Expr:
        return sp.Add(*(term(sp.Integer(k)) for k in range(1, self.classes + 1)))

    def derivative(self, expression: sp.Expr, symbol: sp.Expr) -> sp.Expr:
        if not isinstance(symbol, sp.Symbol):
            raise TypeError(f"derivatives are taken by the entries of a vector of symbols, not by {symbol}")
        return expression.diff(symbol)


EVERY_K: Classes = _EveryK()


class NotAScalar(TypeError, sp.SympifyError):
    """A vector or a matrix stands where SymPy wants an expression."""

    __str__ = TypeError.__str__


class _Array:
    """What vectors and matrices have in common: the arithmetic entry by entry, with each other and with scalars."""

    _op_priority = 20.0  # higher than SymPy's expressions: s * v and s - v are left to the vector
    __iter__ = None  # there is no end to the entries for symbolic K
    classes: Classes

    def _with(self, other: Any, operation: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> Any:
        raise NotImplementedError

    def _sympy_(self) -> sp.Expr:
        raise NotAScalar(f"a {type(self).__name__} is no expression: take an entry, or map(f) for f of every entry")

    def __neg__(self) -> Self:
        return self * -1

    def __add__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: a - b)

    def __mul__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: a / b)

    def __pow__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: a**b)

    def __rsub__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: b - a)

    def __rtruediv__(self, other: Any) -> Self:
        return self._with(other, lambda a, b: b / a)

    __radd__ = __add__
    __rmul__ = __mul__

    def _fits(self, other: _Array) -> None:
        if self.classes != other.classes:
            raise ValueError(f"one side runs over {self.classes}, the other over {other.classes}")


def _scalar(value: Any) -> sp.Expr | None:
    """The value as an expression; None if it is none. Text is not parsed."""
    try:
        return sp.sympify(value, strict=True)
    except sp.SympifyError:
        return None


class Vector(_Array):
    """A K-vector: `v[i]` is its entry number i, for a free index or an integer from 1."""

    def __init__(self, classes: Classes, entry: Callable[[Position], sp.Expr]) -> None:
        self.classes = classes
        self._entry = entry

    def __getitem__(self, position: Position) -> sp.Expr:
        return self._entry(self.classes.position(position))

    def __repr__(self) -> str:
        if isinstance(self.classes, GivenK):
            return f"Vector({', '.join(str(self[n]) for n in range(1, self.classes.classes + 1))})"
        return f"Vector({contract(self[index('i')])} for every i)"

    def _repr_latex_(self) -> str:
        if isinstance(self.classes, GivenK):
            return f"${sp.latex(sp.Matrix([self[n] for n in range(1, self.classes.classes + 1)]))}$"
        return rf"$\left({sp.latex(contract(self[index('i')]))}\right)_{{i = 1}}^{{K}}$"

    def map(self, function: Callable[[sp.Expr], sp.Expr]) -> Vector:
        """The vector of f(v_i)."""
        return Vector(self.classes, lambda i: function(self[i]))

    def sum(self) -> sp.Expr:
        """sum_k v_k."""
        return self.classes.sum(lambda k: self[k])

    def dot(self, other: Vector) -> sp.Expr:
        """sum_k v_k w_k."""
        return (self * other).sum()

    @overload
    def __matmul__(self, other: Vector) -> sp.Expr: ...

    @overload
    def __matmul__(self, other: Matrix) -> Vector: ...

    def __matmul__(self, other: Vector | Matrix) -> sp.Expr | Vector:
        """v^T w, or v^T M."""
        if isinstance(other, Vector):
            return self.dot(other)
        return other.T @ self if isinstance(other, Matrix) else NotImplemented

    def _with(self, other: Any, operation: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> Any:
        if isinstance(other, Vector):
            self._fits(other)
            return Vector(self.classes, lambda i: operation(self[i], other[i]))
        scalar = _scalar(other)
        return NotImplemented if scalar is None else self.map(lambda entry: operation(entry, scalar))


class Matrix(_Array):
    """A K x K matrix: `m[i, j]` is its entry in row i and column j."""

    def __init__(self, classes: Classes, entry: Callable[[Position, Position], sp.Expr]) -> None:
        self.classes = classes
        self._entry = entry

    def __getitem__(self, position: tuple[Position, Position]) -> sp.Expr:
        row, column = position
        return self._entry(self.classes.position(row), self.classes.position(column))

    def __repr__(self) -> str:
        if isinstance(self.classes, GivenK):
            numbers = range(1, self.classes.classes + 1)
            return f"Matrix({'; '.join(', '.join(str(self[i, j]) for j in numbers) for i in numbers)})"
        return f"Matrix({contract(self[index('i'), index('j')])} for every i, j)"

    def _repr_latex_(self) -> str:
        if isinstance(self.classes, GivenK):
            numbers = range(1, self.classes.classes + 1)
            return f"${sp.latex(sp.Matrix([[self[i, j] for j in numbers] for i in numbers]))}$"
        return rf"$\left({sp.latex(contract(self[index('i'), index('j')]))}\right)_{{i, j = 1}}^{{K}}$"

    @property
    def T(self) -> Matrix:
        """The transpose."""
        return Matrix(self.classes, lambda i, j: self[j, i])

    @overload
    def __matmul__(self, other: Vector) -> Vector: ...

    @overload
    def __matmul__(self, other: Matrix) -> Matrix: ...

    def __matmul__(self, other: Vector | Matrix) -> Vector | Matrix:
        """The product with a vector, or with a matrix."""
        if not isinstance(other, Vector | Matrix):
            return NotImplemented
        self._fits(other)
        if isinstance(other, Vector):
            return Vector(self.classes, lambda i: self.classes.sum(lambda k: self[i, k] * other[k]))
        return Matrix(self.classes, lambda i, j: self.classes.sum(lambda k: self[i, k] * other[k, j]))

    def _with(self, other: Any, operation: Callable[[sp.Expr, sp.Expr], sp.Expr]) -> Any:
        if isinstance(other, Matrix):
            self._fits(other)
            return Matrix(self.classes, lambda i, j: operation(self[i, j], other[i, j]))
        scalar = _scalar(other)
        return NotImplemented if scalar is None else Matrix(self.classes, lambda i, j: operation(self[i, j], scalar))


def diag(v: Vector) -> Matrix:
    """D_v, the diagonal matrix of v."""
    return Matrix(v.classes, lambda i, j: sp.KroneckerDelta(i, j) * v[i])


def outer(v: Vector, w: Vector) -> Matrix:
    """v w^T."""
    return Matrix(v.classes, lambda i, j: v[i] * w[j])


def gradient(function: sp.Expr, by: Vector) -> Vector:
    """The partial derivatives of a scalar by the entries of a vector of symbols.

    Raises:
        TypeError: it is no scalar.
    """
    if isinstance(function, Vector | Matrix):
        raise TypeError("only a scalar has a gradient: of a vector, take the jacobian")
    function = sp.sympify(function, strict=True)
    return Vector(by.classes, lambda i: by.classes.derivative(function, by[i]))


def jacobian(function: Vector, by: Vector) -> Matrix:
    """J_ij = d f_i / d x_j: rows are components, columns are variables (paper, section 2: Jacobian(F)(x)).

    Raises:
        TypeError: it is no vector.
    """
    if not isinstance(function, Vector):
        raise TypeError("only a vector has a Jacobian matrix: of a scalar, take the gradient")
    return Matrix(by.classes, lambda i, j: by.classes.derivative(function[i], by[j]))


# --- the functions of the paper ---------------------------------------------------------------------------------------


def softmax(x: Vector, slack: sp.Expr | int = 0) -> Vector:
    """SoftMax(x)_i = exp(x_i) / (C + sum_k exp(x_k)), with slack C (paper, section 1; C = 0 there).

    Its dilated and relocated form is softmax(d * x - c) (paper, equation A1).
    """
    powers = x.map(sp.exp)
    total = slack + powers.sum()
    return powers / total


def cross_entropy(target: Vector, y: Vector) -> sp.Expr:
    """CE(t, y) = - sum_i t_i log y_i (paper, equation 2)."""
    return -target.dot(y.map(sp.log))


def soft_cross_entropy(target: Vector, x: Vector) -> sp.Expr:
    """SoftCE(t, x) = CE(t, SoftMax(x)) (paper, equation 4)."""
    return cross_entropy(target, softmax(x))
