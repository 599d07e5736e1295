"""Section 4.1.3 (paper): the loss of ISBE, and what is said of the figures that can be decided without them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from softmax_trick.ledger.claims import Check
from softmax_trick.ledger.findings import Findings
from softmax_trick.ledger.paper import by, claims_of
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


def one_loss_in_torch(findings: Findings) -> None:
    """The line of the listing, and PyTorch's MSELoss; two examples of class 1, of two, with scores of 0."""
    import torch

    soft_errors = torch.tensor([[-0.5, 0.5], [-0.5, 0.5]], dtype=torch.float64)
    by_listing = Fraction(torch.mean(soft_errors**2).item())
    by_element = Fraction(torch.nn.MSELoss()(soft_errors, torch.zeros_like(soft_errors)).item())
    findings.same("torch.mean and MSELoss are the same", by_listing, by_element)
    printed = Fraction((soft_errors**2).sum().item()) / len(soft_errors)
    findings.same("and the printed loss", printed, by_listing, errors="(-1/2, 1/2), (-1/2, 1/2)")


def sum_is_larger(p: Proof) -> None:
    """The losses of the examples of a batch."""
    p.concludes()
    p.cites("none leaves the losses of the examples, whose mean over a batch is what a chart can show: that of mean")


# --- clusters, sets of curves, final values ---------------------------------------------------------------------------


def training_and_validation(findings: Findings) -> None:
    """The parts of MNIST."""
    findings.same(
        "54 thousand and 6 thousand images are 60 thousand",
        number("training_images") + number("validation_images"),
        number("images"),
    )


def clusters_partition(findings: Findings) -> None:
    """Each of the eight options is in one cluster, and the ranges are those of the normalizers."""
    members = sorted(option for cluster in CLUSTERS.values() for option in cluster)
    findings.same("every option is in a cluster, and in one only", members, sorted(LOSSES.values()))
    for name, target_range in (("ISBE to [0, 1]", (0, 1)), ("ISBE to [-1, 1]", (-1, 1))):
        ranged = {option for option in NORMALIZED if NORMALIZERS[option].target_range == target_range}
        findings.same(f"{name} holds the functions of that range", CLUSTERS[name], ranged)


def panels_are_the_sets(findings: Findings) -> None:
    """The captions of Figures 2 and 3 against the list."""
    findings.same("the captions name as many panels as the list has sets", len(PANELS), len(SETS_LISTED))
    wrong = {
        f"{place}: listed": f"{listed}; in the captions: {panel}"
        for place, (listed, panel) in enumerate(zip(SETS_LISTED, PANELS, strict=True), start=1)
        if listed != panel
    }
    findings.holds("each panel shows a set of the list", not wrong, **wrong)


def figure_4_is_as_listed(findings: Findings) -> None:
    """The caption of Figure 4 against its list: the same options of both networks."""
    unlike = [pair for pair in SETS_OF_FIGURE_4 if pair[0] != pair[1]]
    findings.holds("each set compares the same options of N0 and N1", not unlike, unlike=unlike)
    findings.same("the panels are the sets", PANELS_OF_FIGURE_4, tuple(options for options, _ in SETS_OF_FIGURE_4))


def final_accuracies(findings: Findings) -> None:
    """Table 3 has the accuracies after the last epoch."""
    outside = {
        cell: percent(correct)
        for cell, correct in TABLE_3.items()
        if not 100 * number("least_at_the_end") < correct < 100 * number("most_at_the_end")
    }
    findings.holds("all 24 lie strictly between 99.4 % and 99.7 %", not outside, outside=outside)


def n1_is_better(findings: Findings) -> None:
    """N1 against N0 in every column of Table 3."""
    gains = {option: TABLE_3["N1", option] - TABLE_3["N0", option] for option in CROSS_ENTROPY + ISBE}
    findings.holds(
        f"N1 is better by {min(gains.values())} to {max(gains.values())} images", min(gains.values()) > 0, gains=gains
    )


def savings_up_to_three(findings: Findings) -> None:
    """The decreases of Table 2."""
    over = {", ".join(cell): percent(TABLE_2[cell]) for cell in comparisons() if -TABLE_2[cell] > 100 * number("saved")}
    findings.holds("no decrease is over 3 %", not over, **over)


PRINT = "the printed text"


BY = {
    "S4.1.3.split": by(Check("rational arithmetic", training_and_validation, "one sum")),
    "S4.1.3.mse": by(Check("torch", one_loss_in_torch, "two examples with two classes, float64")),
    "S4.1.3.range": by(proof=sum_is_larger),
    "S4.1.3.panels": by(Check("rational arithmetic", panels_are_the_sets, PRINT)),
    "S4.1.3.clusters": by(Check("rational arithmetic", clusters_partition, "eight options")),
    "S4.1.3.final-values": by(Check("rational arithmetic", final_accuracies, "all of Table 3")),
    "S4.1.3.figure-4": by(Check("rational arithmetic", figure_4_is_as_listed, PRINT)),
    "S4.1.3.n1-better": by(Check("rational arithmetic", n1_is_better, "eight columns of Table 3")),
    "S4.2.savings": by(Check("rational arithmetic", savings_up_to_three, "all 30 cells")),
}

CLAIMS = claims_of(Path(__file__).with_suffix(".toml"), BY)
