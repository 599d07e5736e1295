r"""The every-size reading: entries at free indices, in an exact canonical form.

A value is a polynomial: a sum of rational multiples of monomials. A monomial is a product of factors with rational
exponents. The factors are

    entry   x[i, j]                              size    K, a symbol >= 1
    delta   1 where two places are equal, else 0 step    1 where a polynomial is positive, 0 where it is negative
    exp     exp of one monomial                  log     log|p| for p a factor or an irreducible polynomial
    inverse p of several terms, with a negative exponent
    root    p, with an exponent between 0 and 1  prime   2, 3, ... with such an exponent
    sum     the sum of one monomial over indices normal  the standard normal distribution function of a polynomial

What makes equal things equal: products of sums are sums over more indices, and fall apart into connected components
(Fubini, associativity, traces); bound indices are named canonically, by refinement of colours and then by trial; deltas
in a bound index are contracted, indices that a delta makes equal are written alike; a sum that meets its own inverse is
drawn out; exponentials are split at sums, logarithms factored over Q; roots keep an exponent in (0, 1), of bases that
are irreducible or of unknown sign. A function of 0/1 factors is split into its two values.

A value without terms is zero, wherever the expression is defined and for all sizes: each rewriting is an identity. The
converse fails where atoms depend on each other in a way not known here, so that what is not reduced to zero is not
thereby different from it.

Nothing is captured: a sum's own indices are numbered above those of the sums inside it, a sum is opened by fresh
indices before anything is done to it, and closed again.
"""

from softmax_trick.readings.canonical.algebra import Canonical
from softmax_trick.readings.canonical.terms import (
    ZERO_ONE,
    Exponent,
    Factor,
    Key,
    Monomial,
    Place,
    Polynomial,
    TooLarge,
    Undefined,
)  # fmt: skip

__all__ = [
    "ZERO_ONE", "Canonical", "Exponent", "Factor", "Key", "Monomial", "Place", "Polynomial", "TooLarge", "Undefined",
]  # fmt: skip
