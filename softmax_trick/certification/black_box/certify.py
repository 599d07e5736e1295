"""The certificate of a black box: its properties, one after the other."""

from __future__ import annotations

from torch import Tensor

from softmax_trick.certification.black_box import form, growth, jacobians, kinks, values
from softmax_trick.certification.black_box.calling import Backward, BlackBox, BlackBoxError, Function
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import PROPERTIES, Certificate, Property

EXTRAS: dict[str, dict[str, object]] = {
    **{name: {} for name in PROPERTIES},
    "softmax_type": form.NO_FORM,
    "generalised_softmax": {"dilation": None, "relocation": None},
    "trick": {"dilation": None},
    "symmetric_jacobian": {"entry": None},
    "implicit_loss": {"potential": None, "expression": None, "entry": None},
    "bounded": {"range": None, "bound": None},
    "lipschitz": {"bound": None, "exact": None},
}


def certify_torch(function: Function, k: int) -> Certificate:
    """What sampling finds out about a normalizer F: R^K -> R^K that is given as code.

    Args:
        function: takes float64 scores of shape (n, K), or else of shape (K,), and returns a real tensor of the same
            shape. It is called many times, always with the same scores.
        k: the number of classes K >= 1.

    Returns:
        the certificate. Every rung is "sampled"; the witness of a property that fails is what the scores were shrunk
        to. Numbers are decimal strings, off by no more than one unit in the last digit. The range of `bounded` is what
        was observed, and the bound of `lipschitz` the largest singular value found, which a Lipschitz constant is not
        below. There are no expressions: the potential is None.

    Raises:
        BlackBoxError: K is no positive integer; the function raises, or returns something else than such a tensor, or
            nothing finite; it changes its input; or it does not return the same twice.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise BlackBoxError(f"the number of classes must be an integer K >= 1, not {k!r}")
    search = Search(BlackBox(function, k))
    certificate = _certificate(search)
    search.box.check_repeatable()
    return certificate


def _certificate(search: Search) -> Certificate:
    defined, undefined = values.defined(search)
    if undefined is not None:
        return _of_partial_function(search, defined, undefined)
    smooth, jump = kinks.differentiable(search)
    unity, positive = values.unity(search), values.positive(search)
    symmetric = jacobians.symmetric_jacobian(search)
    p2, fitted = form.softmax_type(search, smooth)
    implicit = jacobians.implicit_loss(symmetric, jump)
    return Certificate(
        k=search.box.k,
        defined=defined,
        differentiable=smooth,
        unity=unity,
        positive=positive,
        symmetric_jacobian=symmetric,
        softmax_type=p2,
        generalised_softmax=form.generalised_softmax(search, p2, unity, positive),
        trick=form.trick(search, p2, fitted),
        implicit_loss=implicit,
        convex=jacobians.convex(search, implicit),
        order_preserving=values.order_preserving(search),
        bounded=growth.bounded(search),
        lipschitz=growth.lipschitz(search, jump),
        backward=_backward(search),
    )


def _of_partial_function(search: Search, defined: Property, x: Tensor) -> Certificate:
    """What is known where F is no function on R^K: nothing else holds."""
    no = {name: search.refuted(x, "F is not defined there", **extras) for name, extras in EXTRAS.items()}
    convex = Property(None, reason="there is no implicit loss")
    found = no | {"defined": defined, "convex": convex}
    return Certificate(k=search.box.k, **{name: found[name] for name in PROPERTIES}, backward=_backward(search))  # type: ignore[arg-type]


def _backward(search: Search) -> Property:
    """Whether the backward is the derivative."""
    match search.box.backward:
        case Backward(right=None):
            return Property(None, reason="autograd does not differentiate it")
        case Backward(right=False, scores=Tensor() as x):
            return search.refuted(x, "the Jacobian by autograd is not that of the values near there")
    return search.unrefuted(f"agrees with differences and integrals at {len(search.box.probe)} scores")
