"""Whether a black box is of SoftMax type: the form of Theorem A1, fitted and held against all scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Look
from softmax_trick.certification.black_box.examples import exact_decimal, known_decimal
from softmax_trick.certification.black_box.search import Search
from softmax_trick.certification.certificate import Property

NO_FORM: dict[str, object] = {"dilation": None, "relocation": None, "slack": None, "support": None}


@dataclass(frozen=True)
class Form:
    """y_i = a_i e^(d_i x_i) / w with w = C + sum_k a_k e^(d_k x_k), as fitted; a_i = 1 for the first of the support.

    The errors are those of d_i, of log a_i, and of C.
    """

    support: list[int]
    dilation: Tensor
    weights: Tensor
    slack: float
    dilation_error: Tensor
    weight_error: Tensor
    slack_error: float

    def __call__(self, x: Tensor) -> Tensor:
        powers = self.dilation * x
        top = powers.amax(-1, keepdim=True).clamp(min=0)
        shares = self.weights * (powers - top).exp()
        return shares / (self.slack * (-top).exp() + shares.sum(-1, keepdim=True))

    def total(self, x: Tensor) -> Tensor:
        """|w|; infinite where it is too large for a float64."""
        return (self.slack + (self.weights * (self.dilation * x).exp()).sum(-1)).abs()

    def extras(self) -> dict[str, object]:
        """As text; d_i is called 0 where it is not determined, c_i = -log a_i None where a_i is not positive."""
        relocation: list[str | None] = [None] * len(self.dilation)
        dilation = ["0"] * len(self.dilation)
        for i in self.support:
            dilation[i] = known_decimal(float(self.dilation[i]), float(self.dilation_error[i]))
            if (a := float(self.weights[i])) > 0:
                relocation[i] = (
                    "0" if i == self.support[0] else known_decimal(-math.log(a), float(self.weight_error[i]))
                )
        slack = known_decimal(self.slack, self.slack_error) if self.support else "1"
        return {
            "dilation": dilation,
            "relocation": relocation,
            "slack": slack,
            "support": [i + 1 for i in self.support],
        }


def softmax_type(search: Search, smooth: Property) -> tuple[Property, Form | None]:
    """(P2): first whether some d does at each of the scores, then whether one d does at all."""

    def fit(look: Look) -> tuple[Tensor, Tensor]:
        """d (n, K) by least squares, and the sum of the squares of its coefficients."""
        square = (look.softmax_factor**2).sum(1)
        return ((look.softmax_factor * look.jacobian).sum(1) / square).nan_to_num(0, 0, 0), square

    def misfit(look: Look, d: Tensor) -> Tensor:
        return (look.jacobian - look.softmax_factor * d.unsqueeze(-2)).abs().amax((1, 2))

    def nowhere(look: Look) -> Tensor:
        return look.smooth * misfit(look, fit(look)[0]) / (2 * look.jacobian_tolerance)

    x = search.counterexample(nowhere)
    if x is not None:
        off = float(misfit(here := search.look_at(x), fit(here)[0]))
        return search.refuted(x, f"no d gives its Jacobian there: the best is off by {off:.6g}", **NO_FORM), None

    # The scores at which the worst determined d_j is determined best, of those where it is of any size.
    _, square = fit(search.samples)
    usable = search.samples.smooth & search.samples.finite
    strength = torch.where(usable[:, None], square, 0.0)
    strength = torch.where(strength.amax(0) > 0, strength, torch.inf).amin(-1)
    reference = search.look_at(search.samples.x[int(strength.argmax())])
    d, square = (one[0] for one in fit(reference))
    coefficients = reference.softmax_factor[0].abs().sum(0)
    d_error = (reference.jacobian_tolerance * coefficients / square).nan_to_num(torch.inf, torch.inf)

    def elsewhere(look: Look) -> Tensor:
        room = look.jacobian_tolerance + (look.softmax_factor.abs() * d_error).nan_to_num(0, torch.inf).amax((1, 2))
        return look.smooth * misfit(look, d) / (2 * room)

    x = search.counterexample(elsewhere)
    if x is not None:
        d_there = fit(search.look_at(x))[0][0]
        at = ", ".join(map(exact_decimal, reference.x[0].tolist()))
        text = f"its Jacobian there wants d = ({_short(d_there)}), and d = ({_short(d)}) at x = ({at})"
        return search.refuted(x, text, **NO_FORM), None
    if smooth.holds is False:
        return Property(False, "sampled", smooth.witness, "F is not differentiable", dict(NO_FORM)), None

    support = [i for i in range(search.box.k) if bool((search.samples.y[search.samples.finite, i] != 0).any())]
    if not _is_constant(search) and not bool((d_error[support] < 1).all()):
        text = "d cannot be determined: F has a derivative other than 0 at none of the scores"
        return Property(None, reason=search.box.reason(text), extras=dict(NO_FORM)), None
    form = _fitted(search, support, d, d_error.nan_to_num(0, 0, 0))

    def unlike(look: Look) -> Tensor:
        growth = (look.x.abs() * form.dilation_error).amax(-1) + form.weight_error.amax()
        room = look.tolerance + look.y.abs().amax(-1) * (2 * growth.expm1() + form.slack_error / form.total(look.x))
        return (look.y - form(look.x)).abs().amax(-1) / (2 * room)

    x = search.counterexample(unlike)
    if x is not None:
        text = f"with d and c from other scores, (P2) makes it ({_short(form(x))}) there"
        return search.refuted(x, f"{text}, and it is ({_short(search.look_at(x).y[0])})", **NO_FORM), None
    return search.unrefuted(search.where_smooth, **form.extras()), form


def _is_constant(search: Search) -> bool:
    y = search.samples.y[search.samples.finite]
    return bool(((y.amax(0) - y.amin(0)) <= search.samples.tolerance[search.samples.finite].amin()).all())


def _fitted(search: Search, support: list[int], d: Tensor, d_error: Tensor) -> Form:
    """a and C, each from the scores at which it is known best."""
    usable = search.samples.at(search.samples.finite.nonzero().squeeze(-1))
    nothing = torch.zeros(search.box.k, dtype=torch.float64)
    if not support:
        return Form([], d, nothing, 1.0, d_error, nothing, 0.0)
    first = support[0]
    known = usable.tolerance[:, None] / usable.y.abs() + usable.x.abs() * d_error  # of log y_i - d_i x_i
    weights, error = nothing.clone(), nothing.clone()
    for i in support:
        both = (known[:, i] + known[:, first]).nan_to_num(torch.inf)
        best = int(both.argmin())
        x, y = usable.x[best], usable.y[best]
        weights[i] = y[i] / y[first] * (d[first] * x[first] - d[i] * x[i]).exp()
        error[i] = 0 if i == first else both[best]
    own = usable.y[:, first]
    scale = (d[first] * usable.x[:, first]).exp() / own
    slack = (1 - usable.y.sum(-1)) * scale
    slack_error = (search.box.k + 1) * usable.tolerance * scale.abs() + slack.abs() * known[:, first]
    best = int(slack_error.nan_to_num(torch.inf, torch.inf).argmin())
    return Form(support, d, weights, float(slack[best]), d_error, error, float(slack_error[best]))


def generalised_softmax(search: Search, p2: Property, unity: Property, positive: Property) -> Property:
    """(P1): of SoftMax type, summing to 1, and positive."""
    for needed in (p2, unity, positive):
        if needed.holds is False:
            return Property(False, "sampled", needed.witness, needed.reason, {"dilation": None, "relocation": None})
    if p2.holds is None:
        return Property(None, reason=p2.reason, extras={"dilation": None, "relocation": None})
    return search.unrefuted(search.where_smooth, dilation=p2.extras["dilation"], relocation=p2.extras["relocation"])


def trick(search: Search, p2: Property, form: Form | None) -> Property:
    """(P3), which follows from (P2) where no component is 0."""
    if form is None:
        return Property(p2.holds, p2.rung, p2.witness, p2.reason, {"dilation": None})
    missing = [i for i in range(search.box.k) if i not in form.support]
    if missing:
        text = f"component {missing[0] + 1} is 0, and the trick divides by it"
        return search.refuted(torch.zeros(search.box.k, dtype=torch.float64), text, dilation=None)
    return search.unrefuted("from (P2), as no component is 0", dilation=p2.extras["dilation"])


def _short(values: Tensor) -> str:
    return ", ".join(f"{value:.6g}" for value in values.tolist())
