"""From training runs to figures beside the paper's, and to statements about differences.

Runs are compared within a group: the same data, epochs and other settings. In a group every cross-entropy is set
against every other loss of the same network, by three questions:

- Does the mean over seeds differ? The differences of runs with the same seed: their interval and Student's p, with one
  variance for all losses of a network (`softmax_trick.measurements.comparison`). Losses whose runs are the same, as
  those of ce-none and ce-sum, count once.
- Do two models differ on the same test images? McNemar's exact test, for each pair of runs with the same seed.
- Are these the same images? How many get different classes from the two models. (The paper did not check.)

Many tests find something by chance: each p is also given adjusted by Holm, over all tests of its kind in the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import softmax_trick
from softmax_trick.experiments.definitions import CROSS_ENTROPY, EVERY
from softmax_trick.ledger.claims import Evidence
from softmax_trick.measurements.comparison import SAME_STEPS, Comparison
from softmax_trick.measurements.figure import Figure
from softmax_trick.measurements.results import SCHEMA, Protocol, Results, Run
from softmax_trick.measurements.statistics import Agreement, compare_models, holm
from softmax_trick.proofs.tables import ALPHA, LOSSES, NETWORKS, TAU, Printed

OPTIONS = {loss: option for option, loss in LOSSES.items()}  # what the paper's tables call the losses
PRINTED = {network.lower(): network for network in NETWORKS}  # and the networks
PAPERS_DATA = "mnist"  # of Tables 1 to 4


@dataclass(frozen=True)
class Cell:
    """A mean over seeds, of one network and loss, beside the paper's figure."""

    network: str
    loss: str
    figure: Figure


@dataclass(frozen=True)
class Difference:
    """What another loss has less what cross-entropy has, by the same seeds, beside the paper's figure.

    Attributes:
        network: of both.
        reference: the cross-entropy.
        loss: the other.
        figure: the mean of the differences; `runs` is the number of seeds.
        p: Student's two-sided p, if there is one.
        repeats: whether the reference's runs are those of another cross-entropy, with which they are counted.
        adjusted: p by Holm, over all differences of the table, each run once.
    """

    network: str
    reference: str
    loss: str
    figure: Figure
    p: float | None
    repeats: bool = False
    adjusted: float | None = None


@dataclass(frozen=True)
class Disagreement:
    """Two runs with the same seed on the same test images.

    Attributes:
        network: of both.
        reference: the cross-entropy: the first model of the agreement.
        loss: the other.
        seed: of both.
        agreement: on how many images just one of them is right, on how many they differ, and McNemar's p.
        adjusted: p by Holm, over all such pairs of the group.
    """

    network: str
    reference: str
    loss: str
    seed: int
    agreement: Agreement
    adjusted: float


@dataclass(frozen=True)
class Group:
    """Runs that can be compared, and what they say.

    Attributes:
        title: the data and the settings that the runs have in common.
        runs: the runs.
        networks: those trained, in the paper's order.
        losses: those trained with, in the order of the paper's tables.
        accuracies: Table 3, of these runs.
        accuracy_levels: for each network, by how much its printed success rates with ISBE lie above ours, on average.
        accuracy_differences: Table 4.
        shares: Table 1, of the runs that had their machine to themselves.
        share_differences: Table 2.
        disagreements: pairs of models on the same images, each run once.
    """

    title: str
    runs: tuple[Run, ...]
    networks: tuple[str, ...]
    losses: tuple[str, ...]
    accuracies: tuple[Cell, ...]
    accuracy_levels: tuple[Figure, ...]
    accuracy_differences: tuple[Difference, ...]
    shares: tuple[Cell, ...]
    share_differences: tuple[Difference, ...]
    disagreements: tuple[Disagreement, ...]

    @property
    def dataset(self) -> str:
        """What all its runs were trained on."""
        return self.runs[0].dataset

    def of(self, network: str, loss: str) -> list[Run]:
        """The runs of one network and loss, one a seed."""
        return [run for run in self.runs if (run.network, run.loss) == (network, loss)]


@dataclass(frozen=True)
class Statement:
    """A statement of the paper about experiments, and what our runs say of it.

    Attributes:
        claim: its ID in the ledger.
        title: what it says.
        outcome: "reproduced" if every figure passes the test that the claim names, "contradicted" if one fails it,
            "open" if there are figures and neither is so, "not run" if there are none.
        figures: what was measured.
    """

    claim: str
    title: str
    outcome: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Analysis:
    """What a set of training runs says: of losses, group by group, and of the paper's statements."""

    source: str
    groups: tuple[Group, ...]
    statements: tuple[Statement, ...]

    def as_json(self) -> dict[str, Any]:
        """All figures as plain data; the runs themselves are in the results files."""
        groups = [{name: value for name, value in asdict(group).items() if name != "runs"} for group in self.groups]
        statements = [asdict(statement) for statement in self.statements]
        head = {"schema": SCHEMA, "version": softmax_trick.__version__, "source": self.source}
        return {**head, "groups": groups, "statements": statements}


def analyse(results: Results) -> Analysis:
    """Compute all figures."""
    keys = sorted({(run.dataset, run.protocol) for run in results.runs}, key=_rank)
    groups = [_group([run for run in results.runs if (run.dataset, run.protocol) == key]) for key in keys]
    return Analysis(results.source, tuple(groups), _statements(results))


def _rank(key: tuple[str, Protocol]) -> tuple[bool, bool, str, str]:
    """The data of the paper's tables first, then those of its figures."""
    return key[0] != PAPERS_DATA, key[0] != "cifar10", key[0], str(key[1])


def _group(runs: Sequence[Run]) -> Group:
    first = runs[0]
    networks = _in_order((run.network for run in runs), (*PRINTED, "vgg16"))
    losses = _in_order((run.loss for run in runs), EVERY)
    papers = first.dataset == PAPERS_DATA and first.balanced
    by_accuracy = _Quantity(runs, networks, losses, ALPHA, papers)
    alone = [run for run in runs if run.timed_alone]
    by_share = _Quantity(alone, networks, losses, TAU, papers)
    return Group(
        title=_title(first),
        runs=tuple(runs),
        networks=networks,
        losses=losses,
        accuracies=by_accuracy.cells(),
        accuracy_levels=by_accuracy.levels(),
        accuracy_differences=by_accuracy.differences(),
        shares=by_share.cells(),
        share_differences=by_share.differences(),
        disagreements=_disagreements(runs, by_accuracy.distinct_pairs()),
    )


def _in_order(names: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    found = set(names)
    return *(name for name in known if name in found), *sorted(found - set(known))


def _title(run: Run) -> str:
    """`mnist, 40 epochs, augment, batch_size 256, ...`, without what is off."""
    on = {name: value for name, value in sorted(run.settings.items()) if value not in (False, None)}
    on = {name: value for name, value in on.items() if (name, value) != ("imbalance", 1)}
    settings = [name if value is True else f"{name} {value}" for name, value in on.items()]
    return ", ".join([run.dataset, f"{run.epochs} epoch{'s' if run.epochs > 1 else ''}", *settings])


@dataclass(frozen=True)
class _Quantity:
    """A quantity of the runs of a group, in percent, with the two tables in which the paper prints it."""

    runs: Sequence[Run]
    networks: Sequence[str]
    losses: Sequence[str]
    printed: Printed
    papers: bool  # whether these are the paper's data

    def cells(self) -> tuple[Cell, ...]:
        cells = []
        for network in self.networks:
            compared = self._compared(network)
            for loss in self.losses:
                paper = _percent(self.printed.table.get(self._place(network, loss))) if self.papers else None
                figure = compared.cell(loss, paper, self.printed.margin, len(self.printed.table))
                if figure:
                    cells.append(Cell(network, loss, figure))
        return tuple(cells)

    def levels(self) -> tuple[Figure, ...]:
        found = (self.printed.level(self._compared(network)) for network in self.networks if self.papers)
        return tuple(figure for figure in found if figure)

    def differences(self) -> tuple[Difference, ...]:
        found = []
        for network, reference, loss in self.pairs():
            compared = self._compared(network)
            cell = (*self._place(network, reference), OPTIONS.get(loss, ""))
            paper = _percent(self.printed.differences.get(cell)) if self.papers else None
            tests = len(self.printed.differences)
            figure = compared.difference(reference, loss, None, paper, self.printed.margin, tests)
            if figure:
                p = compared.estimate(reference, loss)[0].p()
                found.append(Difference(network, reference, loss, figure, p, compared.repeats(reference)))
        once = {(one.network, one.reference, one.loss): one.p for one in found if one.p is not None and not one.repeats}
        adjusted = dict(zip(once, holm(list(once.values())), strict=True))
        return tuple(replace(one, adjusted=adjusted.get(self._once(one))) for one in found)

    @staticmethod
    def _once(one: Difference) -> tuple[str, str, str]:
        """Where a difference is counted."""
        return one.network, SAME_STEPS[one.reference] if one.repeats else one.reference, one.loss

    def pairs(self) -> list[tuple[str, str, str]]:
        """Network, cross-entropy, other loss."""
        references = [loss for loss in self.losses if loss in CROSS_ENTROPY]
        others = [loss for loss in self.losses if loss not in CROSS_ENTROPY]
        return [(network, ce, loss) for network in self.networks for ce in references for loss in others]

    def distinct_pairs(self) -> list[tuple[str, str, str]]:
        """The same, each run once."""
        return [pair for pair in self.pairs() if not self._compared(pair[0]).repeats(pair[1])]

    def _compared(self, network: str) -> Comparison:
        return Comparison([run for run in self.runs if run.network == network], self.printed.of, self.printed.name)

    @staticmethod
    def _place(network: str, loss: str) -> tuple[str, str]:
        return PRINTED.get(network, ""), OPTIONS.get(loss, "")


def _percent(hundredths: int | None) -> float | None:
    return None if hundredths is None else hundredths / 100


def _disagreements(runs: Sequence[Run], pairs: Sequence[tuple[str, str, str]]) -> tuple[Disagreement, ...]:
    """Every pair of runs with the same seed that kept their mistakes."""
    kept = {(run.network, run.loss, run.seed): run for run in runs if run.wrong is not None}
    found = []
    for network, reference, loss in pairs:
        for seed in sorted({seed for *_, seed in kept}):
            first, second = kept.get((network, reference, seed)), kept.get((network, loss, seed))
            if first and second and first.test_images == second.test_images:
                agreement = compare_models(dict(first.wrong or ()), dict(second.wrong or ()))
                found.append(Disagreement(network, reference, loss, seed, agreement, 1.0))
    adjusted = holm([one.agreement.p for one in found])
    return tuple(replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True))


def _statements(results: Results) -> tuple[Statement, ...]:
    """The measured claims of the ledger, on these runs."""
    from softmax_trick.ledger.run import Ledger
    from softmax_trick.proofs import CLAIMS

    ledger = Ledger({name: claim for name, claim in CLAIMS.items() if claim.measure}, results=results)
    statements = []
    for name, claim in ledger.claims.items():
        [evidence] = ledger.result(name).evidence
        statements.append(Statement(name, claim.heading, _outcome(evidence), evidence.figures))
    return tuple(statements)


def _outcome(evidence: Evidence) -> str:
    if evidence.outcome == "crashed":
        return f"crashed: {evidence.reason}"
    if not evidence.figures:
        return "not run"
    return {"holds": "reproduced", "fails": "contradicted"}.get(evidence.outcome, "open")
