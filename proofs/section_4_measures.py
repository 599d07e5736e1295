"""Section 4 (paper): what is measured, how the losses of a batch are reduced, and the relocation of SoftMax."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.ledger.steps import Open
from softmax_trick.proofs.printed import number
from softmax_trick.proofs.tables import CROSS_ENTROPY, ISBE, TABLE_1, TABLE_3

TEST_IMAGES = int(number("test_images"))


# --- equations (7) and (8) --------------------------------------------------------------------------------------------


def tau(inference: Fraction, backpropagation: Fraction) -> Fraction:
    """Equation (7): the share of backpropagation in the time of both, percent."""
    return 100 * backpropagation / (inference + backpropagation)


def tau_is_a_percentage(facts: Findings) -> None:
    """Times are not negative, and not both zero."""
    import z3

    i, b, share = z3.Reals("inference backpropagation tau")
    times = z3.And(i >= 0, b >= 0, i + b > 0)
    facts.valid(
        "0 <= tau <= 100 wherever tau (i + b) = 100 b",
        z3.Implies(z3.And(times, share * (i + b) == 100 * b), z3.And(share >= 0, share <= 100)),
    )
    facts.same("no inference time: tau = 100", tau(Fraction(0), Fraction(1)), Fraction(100))
    facts.same("no backpropagation time: tau = 0", tau(Fraction(1), Fraction(0)), Fraction(0))


def tau_depends_on_the_implementation(facts: Findings) -> None:
    """Make inference alone twice as fast, and the share of backpropagation grows."""
    before, after = tau(Fraction(10), Fraction(10)), tau(Fraction(5), Fraction(10))
    times = {"slow": "inference 10, backpropagation 10", "fast": "inference 5, backpropagation 10"}
    facts.same("twice as fast an inference leaves tau as it is", before, after, **times)


def smaller_tau_is_faster(facts: Findings) -> None:
    """The share says nothing of the total."""
    slow, fast = (Fraction(20), Fraction(15)), (Fraction(10), Fraction(10))
    if not tau(*slow) < tau(*fast):
        raise Open("the example is none: its first tau is not the smaller one")
    facts.established("the first tau is the smaller one", f"{tau(*slow)} < {tau(*fast)}")
    facts.holds(
        "and the first time the shorter one",
        sum(slow) < sum(fast),
        **{"first": "inference 20, backpropagation 15", "its tau": tau(*slow), "its time": sum(slow)},
        **{"second": "inference 10, backpropagation 10", "the tau of that": tau(*fast), "its total": sum(fast)},
    )


def accuracies_are_counts(facts: Findings) -> None:
    """n of 10,000 images are n hundredths of a percent."""
    shares = [Fraction(100 * 100 * n, TEST_IMAGES) for n in range(TEST_IMAGES + 1)]
    facts.same("n correct of 10,000 are n hundredths of a percent, n = 0..10,000", shares, list(range(len(shares))))
    outside = [cell for cell, correct in TABLE_3.items() if not 0 <= correct <= TEST_IMAGES]
    facts.holds("each of the 24 entries of Table 3 is the accuracy of a count", not outside, cells=outside)


# --- the reductions of cross-entropy ----------------------------------------------------------------------------------


def reductions_in_torch(facts: Findings) -> None:
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
        facts.holds(f"the gradient {text} is that of none, started by ones", torch.equal(none, other), gap=gap)


def only_none_counterexample(p: Proof) -> None:
    """K stands for the number of examples: sum sends to each loss what none does, started by a vector of ones."""
    p.shows("grad(dot(ones(K), l), l) == grad(sum(l), l)", words="sum sends to each loss what none does")
    p.refuted("sum behaves exactly as none does", n_b=p.classes.size, none="(1, 1)", sum="(1, 1)")


def only_none_in_torch(facts: Findings) -> None:
    """Two scores, both 0, and the first class is right: y = (1/2, 1/2)."""
    import torch
    from torch.nn.functional import cross_entropy

    def sent(reduction: str) -> tuple[Fraction, ...]:
        scores = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
        loss = cross_entropy(scores, torch.tensor([0]), reduction=reduction)
        return tuple(map(Fraction, torch.autograd.grad(loss, scores, torch.ones_like(loss))[0][0].tolist()))

    none, by_sum = sent("none"), sent("sum")
    shown = {"scores": "(0, 0)", "label": "1", "none": _vector(none), "sum": _vector(by_sum)}
    facts.holds("sum has another gradient than none", none != by_sum, **shown)


def _vector(entries: Iterable[Fraction]) -> str:
    return f"({', '.join(map(str, entries))})"


def no_worse(p: Proof) -> None:
    """From one start and over the same batches, the two trainings take the same steps."""
    p.rests_on("T1.4c", "SoftCE has the gradient y - t at the scores, and ISBE with SoftMax sends y - t there")
    p.rests_on("S4.1.only-none-r", "over a batch that is the gradient of cross-entropy reduced by sum, or not reduced")
    p.cites("chain rule: the gradients of all parameters depend on the loss through its gradient at the scores alone")
    p.cites("induction over the steps: equal parameters and equal gradients leave equal parameters")


def three_reductions(facts: Findings) -> None:
    """torch's cross-entropy takes these options, and refuses others that one might expect."""
    import torch
    from torch.nn.functional import cross_entropy

    scores, labels = torch.zeros(3, 2), torch.tensor([0, 1, 0])
    for reduction in ("none", "mean", "sum"):
        cross_entropy(scores, labels, reduction=reduction)
        facts.established(f"the option {reduction} is accepted")
    accepted = []
    for other in ("max", "min", "prod", "median", "batchmean"):
        try:
            cross_entropy(scores, labels, reduction=other)
            accepted.append(other)
        except ValueError:
            facts.established(f"{other} is refused")
    facts.holds("there is no fourth option among these", not accepted, accepted=accepted)


def reduction_is_one_number(facts: Findings) -> None:
    """The shape of the loss of three examples."""
    import torch
    from torch.nn.functional import cross_entropy

    scores, labels = torch.zeros(3, 2), torch.tensor([0, 1, 0])
    for reduction, shape in {"mean": (), "sum": (), "none": (3,)}.items():
        found = tuple(cross_entropy(scores, labels, reduction=reduction).shape)
        facts.same(f"the loss of 3 examples under {reduction} has the shape {shape}", found, shape)


def options(facts: Findings) -> None:
    """The columns of Tables 1 and 3."""
    for name, table in (("Table 1", TABLE_1), ("Table 3", TABLE_3)):
        columns = {option for _, option in table}
        facts.same(f"{name} has a column for each option", columns, {*CROSS_ENTROPY, *ISBE})
    facts.same("3 reductions and 5 activations are 8 curves", len(CROSS_ENTROPY) + len(ISBE), 8)


def the_order_of_shares(p: Proof) -> None:
    """The difference of the shares has the sign of that of the times."""
    p.concludes()
    p.shows("100*i/((i + a)*(i + b)) > 0")


def opposite_gradients(p: Proof) -> None:
    """By b, and by c where that is -b."""
    p.concludes()
    p.shows("softmax(s + b)*sum(t) - t == -(t - softmax(s - (-b))*sum(t))", words="they are opposite")


CLAIMS = (
    Claim(
        id="S4.no-worse",
        title="ISBE with SoftMax cannot be worse than cross-entropy, step by step",
        statement=r"From the same parameters and over the same batches, training by ISBE with SoftMax takes the same "
        r"steps as training by cross-entropy after SoftMax, summed (or not reduced): the same parameters after as many "
        r"steps, hence the same success rate, and no more steps to it.",
        source="section 4",
        proof=no_worse,
        remark="Of the time that a step takes theory says nothing: it is that of an implementation, and the one of "
        "Appendix B takes slightly more time (section 4.2; S4.2.fewer-operations).",
    ),
    Claim(
        id="E7",
        title="τ lies between 0 and 100 %",
        statement=r"$\tau = \frac{\text{backpropagation time}}{\text{inference time} + \text{backpropagation time}} "
        r"\times 100\% \in [0\%, 100\%]$",
        source="section 4, equation (7)",
        hypotheses=("the times are not negative, and not both zero",),
        checks=(Check("z3", tau_is_a_percentage, "all real times"),),
    ),
    Claim(
        id="S4.tau",
        title="τ does not depend on the implementation",
        statement=r"The share $\tau$ is independent of how inference and backpropagation are implemented.",
        source="section 4, before equation (7)",
        checks=(Check("rational arithmetic", tau_depends_on_the_implementation, "one example"),),
        repaired_by="S4.tau-r",
    ),
    Claim(
        id="S4.tau-r",
        title="τ does not change if both times are multiplied by one factor",
        statement=r"$\formula{1}$ for the inference time $i$ and the time $b$ of backpropagation: a machine that is "
        r"faster at both alike leaves $\tau$ as it is.",
        formulas=("100*(c*b)/(c*i + c*b) == 100*b/(i + b)",),
        let="i: nonnegative; b: nonnegative; c: positive",
        where=("i + b != 0", "c*i + c*b != 0"),
        source="repair of section 4, before equation (7)",
        proof=Proof.concludes,
    ),
    Claim(
        id="S4.tau-order",
        title="a smaller τ means a shorter learning time",
        statement=r"Of two ways to learn, the one with the smaller $\tau$ takes the shorter time. (So read, as $\tau$ "
        r"is compared in place of the times $t_{ISBE}$ and $t_{CE}$.)",
        source="section 4, equation (7)",
        checks=(Check("rational arithmetic", smaller_tau_is_faster, "one example"),),
        repaired_by="S4.tau-order-r",
    ),
    Claim(
        id="S4.tau-order-r",
        title="at the same inference time, a smaller τ is a shorter backpropagation",
        statement=r"For the same inference time $i > 0$ and times $a$, $b$ of backpropagation, $\formula{1}$: one "
        r"share is smaller exactly if its time is.",
        formulas=("100*a/(i + a) - 100*b/(i + b) == 100*i*(a - b)/((i + a)*(i + b))",),
        let="i: positive; a: nonnegative; b: nonnegative",
        source="repair of section 4, equation (7)",
        proof=the_order_of_shares,
    ),
    Claim(
        id="E8",
        title="a success rate on 10,000 images is a whole number of 0.01 %",
        statement=r"$\alpha = \frac{\text{number of correct classifications}}{\text{size of the test collection}} "
        r"\times 100\%$ of 10,000 images is a whole number of hundredths of a percent, so that Table 3 prints counts, "
        r"without rounding, and equal rates are equal numbers of errors.",
        source="section 4, equation (8); section 4.1",
        checks=(Check("rational arithmetic", accuracies_are_counts, "all counts, and the 24 entries of Table 3"),),
    ),
    Claim(
        id="S4.1.options",
        title="three reductions and five activations: eight curves a network",
        statement="Tables 1 and 3 have a column for each of the three reductions and five activations, eight in all.",
        source="section 4.1; section 4.1.3",
        checks=(Check("rational arithmetic", options, "the columns of Tables 1 and 3"),),
    ),
    Claim(
        id="S4.1.reductions",
        title="PyTorch's cross-entropy has the reductions none, mean, sum",
        statement="The element CrossEntropyLoss of PyTorch reduces the vector of losses by none, mean or sum.",
        source="section 4.1",
        checks=(Check("torch", three_reductions, "the three options and five others"),),
    ),
    Claim(
        id="S4.1.only-none",
        title="of the reductions, only none behaves exactly as theory says",
        statement=r"Theory says that ISBE with SoftMax trains as cross-entropy with the reduction none (started by "
        r"backward of ones, as in Appendix B), and it says so of none only, not of sum.",
        source="section 4.1",
        let="l: K",
        counterexample=only_none_counterexample,
        checks=(Check("torch", only_none_in_torch, "one example, float64"),),
        repaired_by="S4.1.only-none-r",
    ),
    Claim(
        id="S4.1.only-none-r",
        title="none and sum give the gradient of ISBE SoftMax, mean 1/n_b of it",
        formulas=(
            "grad(dot(ones(N), softce(T, X)), X) == softmax(X) - T",
            "grad(sum(softce(T, X)), X) == softmax(X) - T",
            "grad(mean(softce(T, X)), X) == (softmax(X) - T)/N",
        ),
        let="X: N,K; T: N,K distribution over K",
        hypotheses=("backward of ones starts none: it differentiates the sum of its losses",),
        source="repair of section 4.1",
        checks=(Check("torch", reductions_in_torch, "64 examples, float32, bit for bit"),),
    ),
    Claim(
        id="S4.1.1.aggregation",
        title="reduction makes one number of the losses of a group",
        statement="A reduction is an aggregation of the losses of all examples of a batch into one numerical value; "
        "without reduction there is a value for each example. (The word 'which' is read to stand for 'reduction'; for "
        "'cross-entropy without reduction' the sentence would be false.)",
        source="section 4.1.1",
        checks=(Check("torch", reduction_is_one_number, "three examples"),),
    ),
    Claim(
        id="S4.1.1.relocation",
        title="the relocation of SoftMax preserves the SoftMax trick",
        formulas=("grad(ce(t, y), x) == y - t",),
        let="x: K; c: K; t: K distribution; y = softmax(x - c)",
        source="section 4.1.1, citing Theorem A1",
    ),
    Claim(
        id="S4.1.1.bias",
        title="the bias of the last linear unit is a trained relocation",
        statement=r"For $c = -b$ it is $\formula{1}$, and the gradients by $b$ and $c$ are opposite, $\formula{2}$ and "
        r"$\formula{3}$: to train the bias is to train the relocation. ($s = Ax$ are the scores without either.)",
        formulas=(
            "softmax(s + b) == softmax(s - (-b))",
            "grad(softce(t, s + b), b) == softmax(s + b)*sum(t) - t",
            "grad(softce(t, s - c), c) == t - softmax(s - c)*sum(t)",
        ),
        let="s: K; b: K; c: K; t: K",
        source="section 4.1.1",
        proof=opposite_gradients,
    ),
)
