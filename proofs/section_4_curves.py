"""Section 4.1.3 (paper): the loss of ISBE, and what is said of the figures that can be decided without them."""

from __future__ import annotations

from fractions import Fraction

from softmax_trick.ledger.claims import Check, Claim
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.proof import Proof
from softmax_trick.normalizers import NORMALIZERS
from softmax_trick.proofs.printed import LISTS, number
from softmax_trick.proofs.tables import CROSS_ENTROPY, ISBE, LOSSES, TABLE_2, TABLE_3, comparisons, percent

NORMALIZED = tuple(LOSSES[option] for option in ISBE)


# Section 4.1.3, below Figure 2.
CLUSTERS = {
    "cross-entropy, sum": {"ce-sum"},
    "cross-entropy, none and mean": {"ce-none", "ce-mean"},
    "ISBE to [0, 1]": {"softmax", "sigmoid", "hardsigmoid"},
    "ISBE to [-1, 1]": {"tanh", "hardtanh"},
}


NOT_SHOWN = {"ce-sum"}  # "as out of common range it was not shown"


SETS_LISTED, PANELS = LISTS["sets"], LISTS["panels"]
SETS_OF_FIGURE_4, PANELS_OF_FIGURE_4 = LISTS["sets_of_figure_4"], LISTS["panels_of_figure_4"]


# --- the loss of ISBE -------------------------------------------------------------------------------------------------


def one_loss_in_torch(facts: Findings) -> None:
    """The line of the listing, and PyTorch's MSELoss; two examples of class 1, of two, with scores of 0."""
    import torch

    soft_errors = torch.tensor([[-0.5, 0.5], [-0.5, 0.5]], dtype=torch.float64)
    by_listing = Fraction(torch.mean(soft_errors**2).item())
    by_element = Fraction(torch.nn.MSELoss()(soft_errors, torch.zeros_like(soft_errors)).item())
    facts.same("torch.mean and MSELoss are the same", by_listing, by_element)
    printed = Fraction((soft_errors**2).sum().item()) / len(soft_errors)
    facts.same("and the printed loss", printed, by_listing, errors="(-1/2, 1/2), (-1/2, 1/2)")


def sum_is_larger(p: Proof) -> None:
    """The losses of the examples of a batch."""
    p.concludes()
    p.cites("none leaves the losses of the examples, whose mean over a batch is what a chart can show: that of mean")


# --- clusters, sets of curves, final values ---------------------------------------------------------------------------


def training_and_validation(facts: Findings) -> None:
    """The parts of MNIST."""
    facts.same(
        "54 thousand and 6 thousand images are 60 thousand",
        number("training_images") + number("validation_images"),
        number("images"),
    )


def clusters_partition(facts: Findings) -> None:
    """Each of the eight options is in one cluster, and the ranges are those of the normalizers."""
    members = sorted(option for cluster in CLUSTERS.values() for option in cluster)
    facts.same("every option is in a cluster, and in one only", members, sorted(LOSSES.values()))
    for name, target_range in (("ISBE to [0, 1]", (0, 1)), ("ISBE to [-1, 1]", (-1, 1))):
        ranged = {option for option in NORMALIZED if NORMALIZERS[option].target_range == target_range}
        facts.same(f"{name} holds the functions of that range", CLUSTERS[name], ranged)


def panels_are_the_sets(facts: Findings) -> None:
    """The captions of Figures 2 and 3 against the list."""
    facts.same("the captions name as many panels as the list has sets", len(PANELS), len(SETS_LISTED))
    wrong = {
        f"{place}: listed": f"{listed}; in the captions: {panel}"
        for place, (listed, panel) in enumerate(zip(SETS_LISTED, PANELS, strict=True), start=1)
        if listed != panel
    }
    facts.holds("each panel shows a set of the list", not wrong, **wrong)


def figure_4_is_as_listed(facts: Findings) -> None:
    """The caption of Figure 4 against its list: the same options of both networks."""
    unlike = [pair for pair in SETS_OF_FIGURE_4 if pair[0] != pair[1]]
    facts.holds("each set compares the same options of N0 and N1", not unlike, unlike=unlike)
    facts.same("the panels are the sets", PANELS_OF_FIGURE_4, tuple(options for options, _ in SETS_OF_FIGURE_4))


def final_accuracies(facts: Findings) -> None:
    """Table 3 has the accuracies after the last epoch."""
    outside = {
        cell: percent(correct)
        for cell, correct in TABLE_3.items()
        if not 100 * number("least_at_the_end") < correct < 100 * number("most_at_the_end")
    }
    facts.holds("all 24 lie strictly between 99.4 % and 99.7 %", not outside, outside=outside)


def n1_is_better(facts: Findings) -> None:
    """N1 against N0 in every column of Table 3."""
    gains = {option: TABLE_3["N1", option] - TABLE_3["N0", option] for option in CROSS_ENTROPY + ISBE}
    facts.holds(
        f"N1 is better by {min(gains.values())} to {max(gains.values())} images", min(gains.values()) > 0, gains=gains
    )


def savings_up_to_three(facts: Findings) -> None:
    """The decreases of Table 2."""
    over = {", ".join(cell): percent(TABLE_2[cell]) for cell in comparisons() if -TABLE_2[cell] > 100 * number("saved")}
    facts.holds("no decrease is over 3 %", not over, **over)


PRINT = "the printed text"


CLAIMS = (
    Claim(
        id="S4.1.3.split",
        title="54K training images and 6K validation images are MNIST's 60K",
        statement="The 54 thousand images for training and the 6 thousand for validation are the 60 thousand of MNIST.",
        source="section 4.1.3; section 4.1",
        checks=(Check("rational arithmetic", training_and_validation, "one sum"),),
    ),
    Claim(
        id="S4.1.3.mse",
        title="the loss of ISBE, 1/n_b |Y - Y°|², is the listing's mse_soft",
        statement=r"For a batch of $N$ examples the printed loss is the mean square error that Appendix B computes, "
        r"torch.mean(soft_errors**2): $\formula{1}$",
        formulas=("sum((Y - T)**2)/N == mean((Y - T)**2)",),
        let="Y: N,K; T: N,K",
        source="section 4.1.3; Appendix B.2",
        checks=(Check("torch", one_loss_in_torch, "two examples with two classes, float64"),),
        correction="The listing has 1/(n_b K) |Y - Y°|^2, as PyTorch's MSELoss: the printed loss is K times as large.",
    ),
    Claim(
        id="S4.1.3.range",
        title="CE with sum is n_b times CE with mean, and so not on the chart",
        statement=r"For the losses $l$ of a batch of $N$ examples, $\formula{1}$, and mean is the mean of those under "
        "none. (So read: of the curves in Figure 2, that of sum is out of the others' range.)",
        formulas=("sum(l) == N*mean(l)",),
        let="l: N",
        source="section 4.1.3",
        proof=sum_is_larger,
        remark="Of values that are possible at all the sentence would not hold: the loss of ISBE with SoftMax is at "
        "most 2, cross-entropy has no bound, under any reduction.",
    ),
    Claim(
        id="S4.1.3.panels",
        title="the panels of Figures 2 and 3 are the sets of curves listed",
        statement="The six sets of curves that section 4.1.3 lists are those that the captions of Figures 2 and 3 "
        "name.",
        source="section 4.1.3, Figures 2 and 3",
        checks=(Check("rational arithmetic", panels_are_the_sets, PRINT),),
        correction="The second and the third set have CE sum, which the captions (and the second list) do not name.",
    ),
    Claim(
        id="S4.1.3.clusters",
        title="the four clusters hold each of the eight options once",
        statement=r"The clusters {CE sum}, {CE none, CE mean}, {SoftMax, Sigmoid, HardSigmoid}, {Tanh, HardTanh} are a "
        r"partition of the eight options, and the last two are the functions to $[0, 1]$ and to $[-1, 1]$.",
        source="section 4.1.3, Figure 2",
        checks=(Check("rational arithmetic", clusters_partition, "eight options"),),
    ),
    Claim(
        id="S4.1.3.final-values",
        title="after the last epoch all accuracies are within (99.4, 99.7)",
        statement=r"All 24 entries of Table 3, the accuracies after the last epoch, are in $(99.4\%, 99.7\%)$.",
        source="section 4.1.3; Table 3",
        checks=(Check("rational arithmetic", final_accuracies, "all of Table 3"),),
    ),
    Claim(
        id="S4.1.3.figure-4",
        title="the panels of Figure 4 are the sets of curves listed",
        statement="The six comparisons of both networks that section 4.1.3 lists are those that the caption of Figure "
        "4 names.",
        source="section 4.1.3, Figure 4",
        checks=(Check("rational arithmetic", figure_4_is_as_listed, PRINT),),
    ),
    Claim(
        id="S4.1.3.n1-better",
        title="N1 is better than N0 under every option",
        statement=r"In every column of Table 3, $\mathcal{N}_1$ has a higher success rate than $\mathcal{N}_0$.",
        source="section 4.1.3, Figure 4; Table 3",
        checks=(Check("rational arithmetic", n1_is_better, "eight columns of Table 3"),),
    ),
    Claim(
        id="S4.2.range-gap",
        title="the range [-1, 1] in place of [0, 1] makes the loss four times as large",
        formulas=(
            "tanh(x) - (2*t - 1) == 2*(sigmoid(2*x) - t)",
            "norm(tanh(x) - (2*t - 1))**2 == 4*norm(sigmoid(2*x) - t)**2",
            "clip(x, -1, 1) - (2*t - 1) == 2*(clip((2*x + 2)/4, 0, 1) - t)",
        ),
        let="x: K; t: K",
        source="section 4.2, Figure 7",
    ),
    Claim(
        id="S4.2.savings",
        title="without autograd the savings are at most 3 %",
        statement=r"No decrease in Table 2 is over $3\%$. (Section 4.1.1 says of the same table: over $3\%$.)",
        source="section 4.2; Table 2",
        checks=(Check("rational arithmetic", savings_up_to_three, "all 30 cells"),),
        correction="The largest decrease is 3.23 %, and it is one of a share, not of a time.",
    ),
)
