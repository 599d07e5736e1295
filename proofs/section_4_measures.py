"""Section 4 (paper): what is measured, how the losses of a batch are reduced, and the relocation of SoftMax."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.steps import Open
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.tables import CROSS_ENTROPY, ISBE, TABLE_1, TABLE_3

TEST_IMAGES = int(number("test_images"))


# --- equations (7) and (8) --------------------------------------------------------------------------------------------


def tau(inference: Fraction, backpropagation: Fraction) -> Fraction:
    """Equation (7): the share of backpropagation in the time of both, percent."""
    return 100 * backpropagation / (inference + backpropagation)


def tau_is_a_percentage(findings: Findings) -> None:
    """Times are not negative, and not both zero."""
    import z3

    i, b, share = z3.Reals("inference backpropagation tau")
    times = z3.And(i >= 0, b >= 0, i + b > 0)
    findings.valid(
        "0 <= tau <= 100 wherever tau (i + b) = 100 b",
        z3.Implies(z3.And(times, share * (i + b) == 100 * b), z3.And(share >= 0, share <= 100)),
    )
    findings.same("no inference time: tau = 100", tau(Fraction(0), Fraction(1)), Fraction(100))
    findings.same("no backpropagation time: tau = 0", tau(Fraction(1), Fraction(0)), Fraction(0))


def tau_depends_on_the_implementation(findings: Findings) -> None:
    """Make inference alone twice as fast, and the share of backpropagation grows."""
    before, after = tau(Fraction(10), Fraction(10)), tau(Fraction(5), Fraction(10))
    times = {"slow": "inference 10, backpropagation 10", "fast": "inference 5, backpropagation 10"}
    findings.same("twice as fast an inference leaves tau as it is", before, after, **times)


def smaller_tau_is_faster(findings: Findings) -> None:
    """The share says nothing of the total."""
    slow, fast = (Fraction(20), Fraction(15)), (Fraction(10), Fraction(10))
    if not tau(*slow) < tau(*fast):
        raise Open("the example is none: its first tau is not the smaller one")
    findings.established("the first tau is the smaller one", f"{tau(*slow)} < {tau(*fast)}")
    findings.holds(
        "and the first time the shorter one",
        sum(slow) < sum(fast),
        **{"first": "inference 20, backpropagation 15", "its tau": tau(*slow), "its time": sum(slow)},
        **{"second": "inference 10, backpropagation 10", "the tau of that": tau(*fast), "its total": sum(fast)},
    )


def accuracies_are_counts(findings: Findings) -> None:
    """n of 10,000 images are n hundredths of a percent."""
    shares = [Fraction(100 * 100 * n, TEST_IMAGES) for n in range(TEST_IMAGES + 1)]
    findings.same("n correct of 10,000 are n hundredths of a percent, n = 0..10,000", shares, list(range(len(shares))))
    outside = [cell for cell, correct in TABLE_3.items() if not 0 <= correct <= TEST_IMAGES]
    findings.holds("each of the 24 entries of Table 3 is the accuracy of a count", not outside, cells=outside)


# --- the reductions of cross-entropy ----------------------------------------------------------------------------------


def reductions_in_torch(findings: Findings) -> None:
    """Bit for bit: 64 examples, so that 1 / n_b is a power of two."""
    import torch
    from torch.nn.functional import cross_entropy

    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(64, 10, generator=generator, requires_grad=True)
    labels = torch.randint(10, (64,), generator=generator)

    def sent(reduction: str) -> torch.Tensor:
        loss = cross_entropy(scores, labels, reduction=reduction)
        return torch.autograd.grad(loss, scores, torch.ones_like(loss))[0]

    none = sent("none")
    for text, other in (("of sum", sent("sum")), ("of mean, 64 times,", 64 * sent("mean"))):
        gap = float((none - other).abs().max())
        findings.holds(f"the gradient {text} is that of none, started by ones", torch.equal(none, other), gap=gap)


def only_none_counterexample(p: Proof) -> None:
    """K stands for the number of examples: sum sends to each loss what none does, started by a vector of ones."""
    p.shows("grad(dot(ones(K), l), l) == grad(sum(l), l)", words="sum sends to each loss what none does")
    p.refuted("sum behaves exactly as none does", n_b=p.classes.size, none="(1, 1)", sum="(1, 1)")


def only_none_in_torch(findings: Findings) -> None:
    """Two scores, both 0, and the first class is right: y = (1/2, 1/2)."""
    import torch
    from torch.nn.functional import cross_entropy

    def sent(reduction: str) -> tuple[Fraction, ...]:
        scores = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
        loss = cross_entropy(scores, torch.tensor([0]), reduction=reduction)
        return tuple(map(Fraction, torch.autograd.grad(loss, scores, torch.ones_like(loss))[0][0].tolist()))

    none, by_sum = sent("none"), sent("sum")
    shown = {"scores": "(0, 0)", "label": "1", "none": _vector(none), "sum": _vector(by_sum)}
    findings.holds("sum has another gradient than none", none != by_sum, **shown)


def _vector(entries: Iterable[Fraction]) -> str:
    return f"({', '.join(map(str, entries))})"


def no_worse(p: Proof) -> None:
    """From one start and over the same batches, the two trainings take the same steps."""
    p.rests_on("T1.4c", "SoftCE has the gradient y - t at the scores, and ISBE with SoftMax sends y - t there")
    p.rests_on("S4.1.only-none-r", "over a batch that is the gradient of cross-entropy reduced by sum, or not reduced")
    p.cites("chain rule: the gradients of all parameters depend on the loss through its gradient at the scores alone")
    p.cites("induction over the steps: equal parameters and equal gradients leave equal parameters")


def three_reductions(findings: Findings) -> None:
    """torch's cross-entropy takes these options, and refuses others that one might expect."""
    import torch
    from torch.nn.functional import cross_entropy

    scores, labels = torch.zeros(3, 2), torch.tensor([0, 1, 0])
    for reduction in ("none", "mean", "sum"):
        cross_entropy(scores, labels, reduction=reduction)
        findings.established(f"the option {reduction} is accepted")
    accepted = []
    for other in ("max", "min", "prod", "median", "batchmean"):
        try:
            cross_entropy(scores, labels, reduction=other)
            accepted.append(other)
        except ValueError:
            findings.established(f"{other} is refused")
    findings.holds("there is no fourth option among these", not accepted, accepted=accepted)


def reduction_is_one_number(findings: Findings) -> None:
    """The shape of the loss of three examples."""
    import torch
    from torch.nn.functional import cross_entropy

    scores, labels = torch.zeros(3, 2), torch.tensor([0, 1, 0])
    for reduction, shape in {"mean": (), "sum": (), "none": (3,)}.items():
        found = tuple(cross_entropy(scores, labels, reduction=reduction).shape)
        findings.same(f"the loss of 3 examples under {reduction} has the shape {shape}", found, shape)


def options(findings: Findings) -> None:
    """The columns of Tables 1 and 3."""
    for name, table in (("Table 1", TABLE_1), ("Table 3", TABLE_3)):
        columns = {option for _, option in table}
        findings.same(f"{name} has a column for each option", columns, {*CROSS_ENTROPY, *ISBE})
    findings.same("3 reductions and 5 activations are 8 curves", len(CROSS_ENTROPY) + len(ISBE), 8)


def the_order_of_shares(p: Proof) -> None:
    """The difference of the shares has the sign of that of the times."""
    p.shows("100*a/(i + a) - 100*b/(i + b) == 100*i*(a - b)/((i + a)*(i + b))")
    p.shows("100*i/((i + a)*(i + b)) > 0")
    p.concludes()


def opposite_gradients(p: Proof) -> None:
    """By b, and by c where that is -b."""
    p.concludes()
    p.shows("softmax(s + b)*sum(t) - t == -(t - softmax(s - (-b))*sum(t))", words="they are opposite")


BY = {
    "S4.no-worse": by(proof=no_worse),
    "E7": by(Check("z3", tau_is_a_percentage, "all real times")),
    "S4.tau": by(Check("rational arithmetic", tau_depends_on_the_implementation, "one example")),
    "S4.tau-r": by(proof=Proof.concludes),
    "S4.tau-order": by(Check("rational arithmetic", smaller_tau_is_faster, "one example")),
    "S4.tau-order-r": by(proof=the_order_of_shares),
    "E8": by(Check("rational arithmetic", accuracies_are_counts, "all counts, and the 24 entries of Table 3")),
    "S4.1.options": by(Check("rational arithmetic", options, "the columns of Tables 1 and 3")),
    "S4.1.reductions": by(Check("torch", three_reductions, "the three options and five others")),
    "S4.1.only-none": by(
        Check("torch", only_none_in_torch, "one example, float64"), counterexample=only_none_counterexample
    ),
    "S4.1.only-none-r": by(Check("torch", reductions_in_torch, "64 examples, float32, bit for bit")),
    "S4.1.1.aggregation": by(Check("torch", reduction_is_one_number, "three examples")),
    "S4.1.1.bias": by(proof=opposite_gradients),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
