"""The properties of a black box, one after the other: what contradicts them, and what was fitted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from softmax_trick.certification.black_box.calling import Backward, BlackBox, BlackBoxError, Excess, Function, Look
from softmax_trick.certification.black_box.examples import exact_decimal, known_decimal, shrunk, structured_scores
from softmax_trick.certification.certificate import PROPERTIES, Certificate, Property

NEAR = 4.0  # a result that is not finite counts as such for |x_i| up to this; farther out it may be an overflow
SMALLEST_KINK = 1e-6  # a smaller jump of a derivative, in units of s, is not looked for
CANCELLED = 2.0**-56  # 1 minus what is nearly 1 leaves 2^-53 at least
UNDERFLOW = 1e-30  # below it a positive result is taken for a small exponential, of float32 or float64
NO_FORM: dict[str, object] = {"dilation": None, "relocation": None, "slack": None, "support": None}
EXTRAS: dict[str, dict[str, object]] = {
    **{name: {} for name in PROPERTIES},
    "softmax_type": NO_FORM,
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
    found = _Search(BlackBox(function, k))
    certificate = found.certificate()
    found.box.check_repeatable()
    return certificate


@dataclass(frozen=True)
class _Form:
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


class _Search:
    """The properties of a black box, from looking at it."""

    def __init__(self, box: BlackBox) -> None:
        self.box = box
        self.thinning = 4 if box.form in ("row", "batch of one") else 1  # one call for each of the scores is slow
        structured, generic = (x[:: self.thinning] for x in structured_scores(box.k, box.random))
        self.samples = Look(box, torch.cat([structured, generic]))
        self.generic = Look(box, generic)
        self.count = int(self.samples.finite.sum())
        if not self.count:
            raise BlackBoxError("the function returned nothing finite for any of the scores tried")

    def certificate(self) -> Certificate:
        defined, undefined = self.defined()
        if undefined is not None:
            return self.of_partial_function(defined, undefined)
        smooth, jump = self.differentiable()
        unity = self.holds_unless(lambda look: (look.y.sum(-1) - 1).abs() / (look.tolerance + self.box.allowance), _sum)
        positive = self.positive()
        symmetric = self.symmetric_jacobian()
        p2, form = self.softmax_type(smooth)
        implicit = self.implicit_loss(symmetric, jump)
        return Certificate(
            k=self.box.k,
            defined=defined,
            differentiable=smooth,
            unity=unity,
            positive=positive,
            symmetric_jacobian=symmetric,
            softmax_type=p2,
            generalised_softmax=self.generalised_softmax(p2, unity, positive),
            trick=self.trick(p2, form),
            implicit_loss=implicit,
            convex=self.convex(implicit),
            order_preserving=self.holds_unless(_disorder, _reversed_pair),
            bounded=self.bounded(),
            lipschitz=self.lipschitz(jump),
            backward=self.backward(),
        )

    # --- whether there are values at all, and derivatives

    def defined(self) -> tuple[Property, Tensor | None]:
        """Whether the results are finite, for moderate scores; and scores at which they are not."""
        x = self.counterexample(lambda look: 2.0 * (~look.finite & (look.x.abs().amax(-1) <= NEAR)))
        if x is not None:
            return self.refuted(x, "the result is not finite there"), x
        return self.unrefuted(f"finite at all scores that were tried, up to {NEAR:g} in size"), None

    def of_partial_function(self, defined: Property, x: Tensor) -> Certificate:
        """What is known where F is no function on R^K: nothing else holds."""
        no = {name: self.refuted(x, "F is not defined there", **extras) for name, extras in EXTRAS.items()}
        convex = Property(None, reason="there is no implicit loss")
        found = no | {"defined": defined, "convex": convex}
        return Certificate(k=self.box.k, **{name: found[name] for name in PROPERTIES}, backward=self.backward())  # type: ignore[arg-type]

    def backward(self) -> Property:
        """Whether the backward is the derivative."""
        match self.box.backward:
            case Backward(right=None):
                return Property(None, reason="autograd does not differentiate it")
            case Backward(right=False, scores=Tensor() as x):
                return self.refuted(x, "the Jacobian by autograd is not that of the values near there")
        return self.unrefuted(f"agrees with differences and integrals at {len(self.box.probe)} scores")

    # --- counterexamples

    def counterexample(self, excess: Excess) -> Tensor | None:
        """Scores at which a property fails by more than its tolerance, shrunk; None if none of the samples does."""

        def fails(x: Tensor) -> Tensor:
            return excess(Look(self.box, x)).nan_to_num(0) > 1

        failing = (excess(self.samples).nan_to_num(0) > 1).nonzero()
        return shrunk(self.samples.x[int(failing[0])], fails) if len(failing) else None

    def holds_unless(self, excess: Excess, describe: Callable[[Look], str], text: str = "") -> Property:
        x = self.counterexample(excess)
        return self.unrefuted(text) if x is None else self.refuted(x, describe(self.look_at(x)))

    @cached_property
    def where_smooth(self) -> str:
        """On how much a statement about the Jacobian rests."""
        return f"no counterexample among {int(self.samples.smooth.sum())} scores at which there is a derivative"

    def look_at(self, x: Tensor) -> Look:
        return Look(self.box, x.unsqueeze(0))

    def unrefuted(self, text: str = "", /, **extras: object) -> Property:
        if not text:
            text = f"no counterexample among {self.count} scores"
            if missing := len(self.samples.x) - self.count:
                text += f", {missing} left out where the result is not finite"
        return Property(True, "sampled", reason=self.box.reason(text), extras=extras)

    def refuted(self, x: Tensor, text: str, /, **extras: object) -> Property:
        return Property(False, "sampled", self.box.witness(x), self.box.reason(text), extras)

    # --- smoothness

    def differentiable(self) -> tuple[Property, Tensor | None]:
        """Whether F is differentiable; and scores at which it jumps or is infinitely steep."""
        candidates = Look(self.box, torch.cat([self.samples.x, self.suspects()]))
        growth = self.kinks(candidates)
        jumps, kinks = (growth > 1.2).nonzero(), (growth > 0).nonzero()
        if len(jumps):
            x = shrunk(candidates.x[int(jumps[0])], lambda x: self.kinks(Look(self.box, x)) > 1.2)
            return self.refuted(x, "the difference quotients grow there as the step shrinks"), x
        if len(kinks):
            x = shrunk(candidates.x[int(kinks[0])], lambda x: self.kinks(Look(self.box, x)) > 0)
            return self.refuted(x, "the one-sided differences disagree there"), None
        return self.unrefuted(f"one-sided differences agree at {int(candidates.finite.sum())} scores"), None

    def kinks(self, look: Look) -> Tensor:
        """By how much the trouble grows from step to step in the end where it does not vanish: 1 at a kink; else 0.

        The trouble at step h is the largest disagreement of the two one-sided differences, or of their mean with that
        at the step before, which is twice as long. It falls by three quarters per step where F is smooth, and stays or
        grows at kinks and jumps. The last step that counts is the last one at which the trouble is more than 4 / h
        times what rounding may change F by; that is 13 times as much as rounding makes of an F that errs by a 64th of
        what it may. (Near where a second derivative jumps, one-sided differences differ by about the distance.)
        """
        growth = torch.zeros(len(look.x), dtype=torch.float64)
        here = look.at(look.finite.nonzero().squeeze(-1))
        rows = look.finite.nonzero().squeeze(-1)
        mean = before = None
        for halvings in range(14):
            h = self.box.step / 2**halvings
            right, left = here.quotients(h)
            trouble = (right - left).abs().amax((1, 2))
            if mean is not None:
                trouble = torch.maximum(trouble, ((right + left) / 2 - mean).abs().amax((1, 2)))
            keep = trouble > (4 * here.tolerance / h).clamp(min=SMALLEST_KINK * self.box.slope)
            if before is not None:
                falls = keep & (trouble <= 0.75 * before)
                growth[rows[falls]] = 0  # elsewhere, where nothing is seen any more, the step before has the last word
                keep &= ~falls
                if halvings >= 3:
                    growth[rows[keep]] = (trouble / before)[keep]
            elif mean is None:
                keep = torch.ones_like(keep)
            if not bool(keep.any()):
                break
            before = trouble[keep] if mean is not None else None
            here, rows, mean = here.at(keep), rows[keep], ((right + left) / 2)[keep]
        return growth

    def suspects(self) -> Tensor:
        """Where second differences along lines are largest, zoomed in on: kinks and jumps of which no sample knows."""
        inner = self.generic.x[: 48 // self.thinning]
        axis = torch.eye(self.box.k).double().repeat(48 // self.box.k + 1, 1)[: len(inner)]
        along = torch.cat([4 * axis, 8 * torch.ones_like(inner[:12])])
        low, high = torch.cat([inner, inner[:12]]) - along, torch.cat([inner, inner[:12]]) + along
        low, high = torch.cat([low, inner]), torch.cat([high, -inner.flip(0)])
        positions = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None, None]
        for _ in range(18):
            points = low + positions * (high - low)
            y = self.box(points.reshape(-1, self.box.k)).reshape(points.shape)
            bend = (y[:-2] - 2 * y[1:-1] + y[2:]).abs().amax(-1).nan_to_num(0)
            place, line = bend.argmax(0), torch.arange(len(low))
            low, high = points[place, line], points[place + 2, line]
        return (low + high) / 2

    # --- values

    def positive(self) -> Property:
        """Whether F > 0, where an exact zero may be an underflow, or 1 - 1 for what is nearly 1."""
        base = self.samples.y.masked_fill(~self.samples.finite[:, None], -torch.inf)
        start = self.samples.x[base.argmax(0)]  # for each component, scores at which it is largest

        def excess(look: Look) -> Tensor:
            negative = (-look.y / look.tolerance[:, None]).amax(-1)
            zero = self.vanishing(look, start)
            return torch.where(look.finite & zero.any(-1), 2.0, negative)

        return self.holds_unless(excess, _smallest)

    def vanishing(self, look: Look, start: Tensor) -> Tensor:
        """Which components (n, K) are zero for real, and not by rounding.

        Found is where they become zero. The last values before an underflow are tiny, however steep the function is.
        Those before a real zero, or before 1 - 1 of what is nearly 1, are not; at a distance of 1/16 a component is
        large again in the first case, and in the second not unless it grows by e^8 or so, that is at a rate above 100.
        A last value between what underflows and what 1 - 1 leaves is neither: it was cut off.
        """
        zero = (look.y <= 0) & look.finite[:, None]
        rows, place = zero.nonzero().unbind(-1)
        found = torch.zeros_like(zero)
        if not len(rows):
            return found
        outside, inside = start[place], look.x[rows]

        def component(x: Tensor) -> Tensor:
            return self.box(x).gather(-1, place[:, None]).squeeze(-1)

        everywhere = component(outside) <= 0
        for _ in range(40):
            middle = (outside + inside) / 2
            still = (component(middle) <= 0)[:, None]
            outside, inside = torch.where(still, outside, middle), torch.where(still, middle, inside)
        back = start[place] - inside
        length = back.norm(dim=-1, keepdim=True)
        near = Look(self.box, inside + back * (1 / 16 / length).clamp(max=1).nan_to_num(0))
        seen = near.y.gather(-1, place[:, None]).squeeze(-1) > near.tolerance
        last = component(outside)
        seen |= last < CANCELLED
        seen &= last > UNDERFLOW
        found[rows, place] = everywhere | seen
        return found

    # --- Jacobians

    def symmetric_jacobian(self) -> Property:
        def excess(look: Look) -> Tensor:
            gap = (look.jacobian - look.jacobian.mT).abs().amax((1, 2))
            return look.smooth * gap / look.jacobian_tolerance

        x = self.counterexample(excess)
        if x is None:
            return self.unrefuted(self.where_smooth, entry=None)
        jacobian = self.look_at(x).jacobian[0]
        i, j = divmod(int((jacobian - jacobian.T).abs().triu().argmax()), self.box.k)
        text = f"dF{i + 1}/dx{j + 1} = {jacobian[i, j]:.6g} and dF{j + 1}/dx{i + 1} = {jacobian[j, i]:.6g} there"
        return self.refuted(x, text, entry=[i + 1, j + 1])

    def implicit_loss(self, symmetric: Property, jump: Tensor | None) -> Property:
        extras = {"potential": None, "expression": None, "entry": symmetric.extras["entry"]}
        if symmetric.holds and jump is not None:
            return Property(None, reason="F jumps or is not defined somewhere: it is no gradient there", extras=extras)
        # A kink does no harm: F is the gradient of its line integrals if it is one almost everywhere and continuous.
        return Property(symmetric.holds, symmetric.rung, symmetric.witness, symmetric.reason, extras)

    def convex(self, implicit: Property) -> Property:
        if not implicit.holds:
            return Property(None, reason="there is no implicit loss")

        def lowest(look: Look) -> Tensor:
            symmetric = (look.jacobian + look.jacobian.mT) / 2
            return torch.linalg.eigvalsh(symmetric.nan_to_num(0, 0, 0))[:, 0]

        def excess(look: Look) -> Tensor:
            return look.smooth * -lowest(look) / (self.box.k * look.jacobian_tolerance)

        def describe(look: Look) -> str:
            return f"the Jacobian has the eigenvalue {float(lowest(look)):.6g} there"

        return self.holds_unless(excess, describe, self.where_smooth)

    # --- the SoftMax type

    def softmax_type(self, smooth: Property) -> tuple[Property, _Form | None]:
        """(P2): first whether some d does at each of the scores, then whether one d does at all."""

        def fit(look: Look) -> tuple[Tensor, Tensor]:
            """d (n, K) by least squares, and the sum of the squares of its coefficients."""
            square = (look.softmax_factor**2).sum(1)
            return ((look.softmax_factor * look.jacobian).sum(1) / square).nan_to_num(0, 0, 0), square

        def misfit(look: Look, d: Tensor) -> Tensor:
            return (look.jacobian - look.softmax_factor * d.unsqueeze(-2)).abs().amax((1, 2))

        def nowhere(look: Look) -> Tensor:
            return look.smooth * misfit(look, fit(look)[0]) / (2 * look.jacobian_tolerance)

        x = self.counterexample(nowhere)
        if x is not None:
            off = float(misfit(here := self.look_at(x), fit(here)[0]))
            return self.refuted(x, f"no d gives its Jacobian there: the best is off by {off:.6g}", **NO_FORM), None

        # The scores at which the worst determined d_j is determined best, of those where it is of any size.
        _, square = fit(self.samples)
        usable = self.samples.smooth & self.samples.finite
        strength = torch.where(usable[:, None], square, 0.0)
        strength = torch.where(strength.amax(0) > 0, strength, torch.inf).amin(-1)
        reference = self.look_at(self.samples.x[int(strength.argmax())])
        d, square = (one[0] for one in fit(reference))
        coefficients = reference.softmax_factor[0].abs().sum(0)
        d_error = (reference.jacobian_tolerance * coefficients / square).nan_to_num(torch.inf, torch.inf)

        def elsewhere(look: Look) -> Tensor:
            room = look.jacobian_tolerance + (look.softmax_factor.abs() * d_error).nan_to_num(0, torch.inf).amax((1, 2))
            return look.smooth * misfit(look, d) / (2 * room)

        x = self.counterexample(elsewhere)
        if x is not None:
            d_there = fit(self.look_at(x))[0][0]
            at = ", ".join(map(exact_decimal, reference.x[0].tolist()))
            text = f"its Jacobian there wants d = ({_short(d_there)}), and d = ({_short(d)}) at x = ({at})"
            return self.refuted(x, text, **NO_FORM), None
        if smooth.holds is False:
            return Property(False, "sampled", smooth.witness, "F is not differentiable", dict(NO_FORM)), None

        support = [i for i in range(self.box.k) if bool((self.samples.y[self.samples.finite, i] != 0).any())]
        if not self.is_constant() and not bool((d_error[support] < 1).all()):
            text = "d cannot be determined: F has a derivative other than 0 at none of the scores"
            return Property(None, reason=self.box.reason(text), extras=dict(NO_FORM)), None
        form = self.fitted(support, d, d_error.nan_to_num(0, 0, 0))

        def unlike(look: Look) -> Tensor:
            growth = (look.x.abs() * form.dilation_error).amax(-1) + form.weight_error.amax()
            room = look.tolerance + look.y.abs().amax(-1) * (2 * growth.expm1() + form.slack_error / form.total(look.x))
            return (look.y - form(look.x)).abs().amax(-1) / (2 * room)

        x = self.counterexample(unlike)
        if x is not None:
            text = f"with d and c from other scores, (P2) makes it ({_short(form(x))}) there"
            return self.refuted(x, f"{text}, and it is ({_short(self.look_at(x).y[0])})", **NO_FORM), None
        return self.unrefuted(self.where_smooth, **form.extras()), form

    def is_constant(self) -> bool:
        y = self.samples.y[self.samples.finite]
        return bool(((y.amax(0) - y.amin(0)) <= self.samples.tolerance[self.samples.finite].amin()).all())

    def fitted(self, support: list[int], d: Tensor, d_error: Tensor) -> _Form:
        """a and C, each from the scores at which it is known best."""
        usable = self.samples.at(self.samples.finite.nonzero().squeeze(-1))
        nothing = torch.zeros(self.box.k, dtype=torch.float64)
        if not support:
            return _Form([], d, nothing, 1.0, d_error, nothing, 0.0)
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
        slack_error = (self.box.k + 1) * usable.tolerance * scale.abs() + slack.abs() * known[:, first]
        best = int(slack_error.nan_to_num(torch.inf, torch.inf).argmin())
        return _Form(support, d, weights, float(slack[best]), d_error, error, float(slack_error[best]))

    def generalised_softmax(self, p2: Property, unity: Property, positive: Property) -> Property:
        for needed in (p2, unity, positive):
            if needed.holds is False:
                return Property(False, "sampled", needed.witness, needed.reason, {"dilation": None, "relocation": None})
        if p2.holds is None:
            return Property(None, reason=p2.reason, extras={"dilation": None, "relocation": None})
        return self.unrefuted(self.where_smooth, dilation=p2.extras["dilation"], relocation=p2.extras["relocation"])

    def trick(self, p2: Property, form: _Form | None) -> Property:
        if form is None:
            return Property(p2.holds, p2.rung, p2.witness, p2.reason, {"dilation": None})
        missing = [i for i in range(self.box.k) if i not in form.support]
        if missing:
            text = f"component {missing[0] + 1} is 0, and the trick divides by it"
            return self.refuted(torch.zeros(self.box.k, dtype=torch.float64), text, dilation=None)
        return self.unrefuted("from (P2), as no component is 0", dilation=p2.extras["dilation"])

    # --- growth

    def along_rays(self, exponents: Sequence[int]) -> list[Look]:
        """F far out: along the axes, the diagonal, and random directions, at 10 to the exponents times them."""
        unit = torch.eye(self.box.k).double()
        mixed = torch.randint(-1, 2, (16, self.box.k), generator=torch.Generator().manual_seed(1)).double()
        directions = torch.cat([unit, -unit, torch.ones_like(unit[:1]), -torch.ones_like(unit[:1]), mixed])
        return [Look(self.box, directions * 10.0**exponent) for exponent in exponents]

    def bounded(self) -> Property:
        """Whether the extreme values still move by half as much from 100 to 1000 as they did from 10 to 100."""
        looks, k = self.along_rays(range(4)), self.box.k

        def highest(look: Look) -> Tensor:
            """Of the K components, and of their negatives."""
            return _signed(look).amax(0)

        seen = [highest(look) for look in looks]
        grows = _still_growing(seen, _largest(looks[-1].tolerance))
        if bool(grows.any()):  # or is it only slow to come to its limit?
            grows &= _still_growing([highest(look) for look in self.along_rays((6, 9, 12))], 0.0)
        ends = torch.stack([*seen, highest(self.samples)]).amax(0).masked_fill(grows, torch.inf).tolist()
        known = _largest(looks[0].tolerance)
        ranges = [
            [None if math.isinf(end) else known_decimal(end, known) for end in (-ends[k + i], ends[i])]
            for i in range(k)
        ]
        if not bool(grows.any()):
            return self.unrefuted("the range observed, for scores up to 1e3", range=ranges)
        column = int(grows.nonzero()[0])
        x = looks[-1].x[int(_signed(looks[-1])[:, column].argmax())]
        sign, sizes = ("" if column < k else "-"), ", ".join(f"{float(one[column]):.6g}" for one in seen)
        text = f"{sign}F{column % k + 1} grows: it is up to {sizes} for scores up to 1, 10, 100, 1000"
        return self.refuted(x, text, range=ranges)

    def lipschitz(self, jump: Tensor | None) -> Property:
        """The largest singular value of the Jacobian, and whether it still grows far out."""
        if jump is not None:
            return self.refuted(jump, "F jumps, is infinitely steep or not defined there", bound=None, exact=None)

        def steepness(look: Look) -> Tensor:
            """The largest singular value; infinite where F is too large for a float64."""
            usable = look.smooth & look.finite
            jacobian = torch.where(usable[:, None, None], look.jacobian, 0.0).nan_to_num(0, 0, 0)
            return torch.linalg.matrix_norm(jacobian, 2).masked_fill(look.y.isinf().any(-1), torch.inf)

        looks = self.along_rays(range(4))
        steepest = [steepness(look).amax(0, keepdim=True) for look in looks]
        if bool(_still_growing(steepest, self.box.k * _largest(looks[-1].jacobian_tolerance))):
            x = looks[-1].x[int(steepness(looks[-1]).argmax())]
            sizes = ", ".join(f"{float(one):.6g}" for one in steepest)
            text = f"the Jacobian's largest singular values are {sizes} for scores up to 1, 10, 100, 1000"
            return self.refuted(x, text, bound=None, exact=None)
        finite = self.samples.at(self.samples.finite.nonzero().squeeze(-1))
        found, error = steepness(finite), self.box.k * finite.jacobian_tolerance
        best = int((found - error).nan_to_num(-torch.inf).argmax())
        text = "the largest singular value found: no Lipschitz constant is below it"
        return self.unrefuted(text, bound=known_decimal(float(found[best]), float(error[best])), exact=False)


def _signed(look: Look) -> Tensor:
    """F and -F side by side; what is not a number is left out of any maximum."""
    return torch.cat([look.y, -look.y], -1).nan_to_num(-torch.inf, torch.inf, -torch.inf)


def _largest(values: Tensor) -> float:
    return float(values.nan_to_num(0, 0, 0).amax())


def _still_growing(values: Sequence[Tensor], tolerance: float) -> Tensor:
    """Which entries grow from the last but one to the last by half of what they grew before, or are infinite."""
    before, then, now = values[-3:]
    return now.isinf() & (now > 0) | (now - then > tolerance) & (now - then >= (then - before) / 2)


def _short(values: Tensor) -> str:
    return ", ".join(f"{value:.6g}" for value in values.tolist())


def _sum(look: Look) -> str:
    return f"the components sum to {float(look.y.sum()):.10g} there"


def _smallest(look: Look) -> str:
    i = int(look.y[0].argmin())
    return f"component {i + 1} is {float(look.y[0, i]):.6g} there"


def _orders(look: Look) -> Tensor:
    """F_j - F_i (n, i, j) where x_i >= x_j, and 0 elsewhere."""
    ordered = look.x.unsqueeze(2) >= look.x.unsqueeze(1)
    return torch.where(ordered, look.y.unsqueeze(1) - look.y.unsqueeze(2), 0.0)


def _disorder(look: Look) -> Tensor:
    return look.finite * _orders(look).amax((1, 2)) / (2 * look.tolerance)


def _reversed_pair(look: Look) -> str:
    i, j = divmod(int(_orders(look)[0].argmax()), look.x.shape[-1])
    y = look.y[0]
    return f"x{i + 1} >= x{j + 1}, but F{i + 1} = {float(y[i]):.6g} < F{j + 1} = {float(y[j]):.6g}"
