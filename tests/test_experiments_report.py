"""The report of training runs: statistics against other routes, figures beside the paper's, tables, charts, page."""

from __future__ import annotations

import json
import math
import random
import re
import sys
from dataclasses import replace
from fractions import Fraction
from importlib.resources import files
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from browser import Frame, contrast, look, needs_browser
from matplotlib.figure import Figure
from rich.console import Console

from softmax_trick.cli import main
from softmax_trick.experiments.analysis import analyse
from softmax_trick.experiments.definitions import EVERY
from softmax_trick.measurements.comparison import Comparison
from softmax_trick.measurements.figure import Figure as Measured
from softmax_trick.measurements.results import Results, Run, beside, write_results
from softmax_trick.measurements.statistics import (
    compare_models,
    estimate,
    holm,
    interval,
    mcnemar,
    pooled,
)
from softmax_trick.proofs.section_4_curves import PANELS, PANELS_OF_FIGURE_4
from softmax_trick.proofs.tables import LOSSES, TABLE_3, TABLE_4
from softmax_trick.report import few_runs, line_chart, palette
from softmax_trick.report.charts import OTHERS, STYLES, TEST_ACCURACY, Line, Panel, _fill, _named, _points, charts
from softmax_trick.report.experiments_page import experiments_page
from softmax_trick.report.experiments_tables import _p, in_full, shown, statements, tables
from softmax_trick.system.extras import MissingExtra


def half(one):
    """Half the length of an interval."""
    assert one.low is not None
    return (one.high - one.low) / 2


# --- statistics -------------------------------------------------------------------------------------------------------


def test_intervals_are_students():
    """Mean 2, standard deviation 1, n = 3; the table of t has 4.302653 for two degrees of freedom."""
    found = interval([1, 2, 3])
    assert (found.low, found.high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))
    assert interval([5.0]).mean == 5
    assert interval([5.0]).low is None


def test_intervals_cover_as_often_as_they_say():
    """Of 4,000 normal samples of five; 95 % within four standard errors of a share, 1.4 %."""
    draws = np.random.default_rng(0).normal(size=(4000, 5)).tolist()
    means = [interval(row) for row in draws]
    assert np.mean([half(one) >= abs(one.mean) for one in means]) == pytest.approx(0.95, abs=0.014)
    # Ten at a time: all ten hold in 95 % of the cases at least.
    ten = [half(estimate(row).interval(tests=10)) >= abs(np.mean(row)) for row in draws]
    assert np.mean(ten) == pytest.approx(0.995, abs=0.0045)


def test_the_paired_test_is_students():
    """With two degrees of freedom p = 1 - t / sqrt(t^2 + 2); here t = 2 sqrt(3)."""
    assert estimate([1.0, 2.0, 3.0]).p() == pytest.approx(1 - math.sqrt(12) / math.sqrt(14))
    assert estimate([-1.0, -2.0, -3.0]).p() == pytest.approx(estimate([1.0, 2.0, 3.0]).p())
    assert estimate([1.0]).p() is None
    assert estimate([0.5, 0.5]).p() is None


def test_equal_values_have_no_interval_and_no_test():
    """Planted: equality asked for to the last bit, which these differences of two pairs of runs do not have."""
    values = [99.47 - 99.43, 99.45 - 99.41]
    assert 0 < abs(values[0] - values[1]) < 1e-13
    assert (interval(values).low, estimate(values).p()) == (None, None)
    assert beside("difference", values, (0.0, 1.0)).agrees is None
    assert None not in (interval([0.04, 0.05]).low, estimate([0.04, 0.05]).p())
    assert interval([0.0, 0.0]).low is None
    assert pooled([{0: 1.5, 1: 1.5}, {0: 2.5, 1: 2.5}]).deviation is None


def test_what_is_not_known_never_speaks_for_a_statement():
    """Planted: the rule of before, by which "equal" held wherever the interval, however wide, contained the figure."""
    precise, vague = [0.01, -0.01, 0.02, -0.02, 0.0], [1.0, -1.0, 2.0, -2.0, 0.0]
    assert estimate(precise).lies_in(-0.15, 0.15) is True
    assert estimate(vague).lies_in(-0.15, 0.15) is None
    # For the number of figures an interval is widened only where it speaks against the statement.
    assert estimate(precise).lies_in(-0.025, 0.025, tests=24) is True
    assert estimate([0.3, 0.2, 0.3, 0.4, 0.2]).lies_in(-0.15, 0.15) is False
    assert estimate([0.3, 0.2, 0.3, 0.4, 0.2]).lies_in(-0.15, 0.15, tests=240) is None


def test_a_range_is_found_wrongly_as_seldom_as_it_says():
    """The mean stands on the end of the range: "inside" and "outside" are both wrong, each in 2.5 % of 4,000 draws."""
    draws = np.random.default_rng(1).normal(size=(4000, 5)).tolist()
    found = [estimate(row).lies_in(0, math.inf) for row in draws]
    assert np.mean([one is True for one in found]) == pytest.approx(0.025, abs=0.01)
    assert np.mean([one is False for one in found]) == pytest.approx(0.025, abs=0.01)


def test_a_pool_has_one_variance_and_the_degrees_of_freedom_of_all():
    """By hand: (0 + 2) and (0 + 8) around the means 1 and 2 are 2 + 8 = 10 over two degrees of freedom."""
    one = pooled([{0: 0.0, 1: 2.0}, {0: 0.0, 1: 4.0}])
    assert one.deviation == pytest.approx(math.sqrt(5))
    assert one.freedom == 2
    # By seed: the differences are 0 and 2, with s^2 = 2 and one degree of freedom; s^2 of a value is half of it.
    two = pooled([{0: 0.0, 1: 2.0}, {0: 0.0, 1: 4.0}], by_seed=True)
    assert two.deviation == pytest.approx(1.0)
    assert two.freedom == 1
    seven = [dict(enumerate(row)) for row in np.random.default_rng(2).normal(size=(7, 5)).tolist()]
    assert (pooled(seven).freedom, pooled(seven, by_seed=True).freedom) == (28, 24)
    assert pooled([{3: 1.0}, {4: 2.0}]).deviation is None
    assert pooled([]).deviation is None


def test_a_pool_by_seed_does_not_see_what_a_seed_does_to_all():
    rows = np.random.default_rng(3).normal(size=(7, 5))
    shifted = rows + np.array([100, -50, 3, 70, 0])
    plain, moved = ([dict(enumerate(row)) for row in table.tolist()] for table in (rows, shifted))
    assert pooled(moved, by_seed=True).deviation == pytest.approx(pooled(plain, by_seed=True).deviation)
    assert (pooled(moved).deviation or 0) > 10 * (pooled(plain).deviation or math.inf)


def test_a_difference_in_the_pool_is_students_where_there_are_two_losses():
    """Two losses: the differences by seed are all there is to pool, so that the interval is that of the differences."""
    runs = [Run("n0", "ce-mean", "mnist", seed, 1, 9900 + n, 10_000) for seed, n in enumerate((1, 5, 2))]
    runs += [Run("n0", "tanh", "mnist", seed, 1, 9900 + n, 10_000) for seed, n in enumerate((4, 6, 9))]
    found = Comparison(runs, lambda run: run.accuracy, "alpha").difference("ce-mean", "tanh")
    alone = interval([0.03, 0.01, 0.07])
    assert found
    assert (found.ours, found.low, found.high) == pytest.approx((alone.mean, alone.low, alone.high))


def test_the_same_run_counts_once():
    """Planted: ce-sum took the steps of ce-none, and was counted as an eighth loss."""
    results = made_up(("n0",), seeds=5)
    nones = {run.seed: run.correct for run in results.runs if run.loss == "ce-none"}
    same = [replace(run, correct=nones[run.seed]) if run.loss == "ce-sum" else run for run in results.runs]
    for runs, freedom, tests in ((results.runs, 8 * 4, 15), (same, 7 * 4, 10)):
        assert Comparison(runs, lambda run: run.accuracy, "alpha")._pool.freedom == freedom
        [group] = analyse(replace(results, runs=tuple(runs))).groups
        counted = [one for one in group.accuracy_differences if not one.repeats]
        assert (len(group.accuracy_differences), len(counted)) == (15, tests)
        assert f"over {tests} tests" in tables(group)[1].note
        assert len({(one.reference, one.loss) for one in group.disagreements}) == tests
        least = min(one.p or 1.0 for one in counted)
        adjusted = [one.adjusted or 0.0 for one in group.accuracy_differences]
        assert min(adjusted) == pytest.approx(min(1, tests * least))


@pytest.mark.parametrize("counts", [(0, 0), (0, 5), (1, 9), (9, 1), (5, 5), (12, 20), (40, 21)])
def test_mcnemar_is_the_exact_binomial_test(counts):
    """The sum of the probabilities, as fractions, of all splits that are no likelier than this one."""
    first, both = counts[0], sum(counts)
    weights = [math.comb(both, one) for one in range(both + 1)]
    exact = Fraction(sum(weight for weight in weights if weight <= weights[first]), 2**both)
    assert mcnemar(*counts) == pytest.approx(float(exact), rel=1e-12)


def test_holm_on_an_example_by_hand():
    """4 x 0.005, 3 x 0.01, 2 x 0.03 and 1 x 0.04, the last raised to the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_two_models_are_compared_image_by_image():
    """Against a count over all predictions."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 500)
    first, second = (np.where(rng.random(500) < 0.3, rng.integers(0, 3, 500), labels) for _ in range(2))
    mistakes = [{int(i): int(made[i]) for i in np.flatnonzero(made != labels)} for made in (first, second)]
    found = compare_models(*mistakes)
    right = first == labels, second == labels
    assert found.first_only == (right[0] & ~right[1]).sum()
    assert found.second_only == (right[1] & ~right[0]).sum()
    assert found.differ == (first != second).sum() > found.first_only + found.second_only
    assert found.p == mcnemar(found.first_only, found.second_only)


# --- analysis ---------------------------------------------------------------------------------------------------------


def made_up(networks=("n0", "n1"), losses=EVERY, seeds=3, epochs=32, dataset="mnist", offset=0, **settings):
    """Runs around Table 3 (around 90 % where it has no entry), with curves and mistakes."""
    options = {loss: option for option, loss in LOSSES.items()}
    runs = []
    for network in networks:
        for loss in losses:
            for seed in range(seeds):
                draw = random.Random(f"{network} {loss} {seed} {dataset}")
                printed = TABLE_3.get((network.upper().replace("R", "r"), options.get(loss, "")), 9000)
                correct = printed + offset + draw.randint(-5, 5)
                images = sorted(draw.sample(range(10_000), 10_000 - correct))
                curve = tuple(1 / (epoch + 1) + draw.uniform(0, 0.01) for epoch in range(epochs))
                accuracy = tuple(correct / 100 - (value - curve[-1]) for value in curve)
                run = Run(network, loss, dataset, seed, epochs, correct, 10_000, 50 + draw.random(), 1, settings)
                run = replace(run, wrong=tuple((image, image % 10) for image in images))
                run = replace(run, train_loss=curve, validation_loss=curve, test_loss=curve)
                runs.append(replace(run, train_accuracy=accuracy, validation_accuracy=accuracy, test_accuracy=accuracy))
    return Results("made-up.json", tuple(runs))


@pytest.fixture(scope="module")
def analysis():
    return analyse(made_up())


def test_the_papers_figures_stand_beside_ours(analysis):
    [group] = analysis.groups
    cells = {(cell.network, cell.loss): cell.figure for cell in group.accuracies}
    assert len(cells) == 16
    assert cells["n0", "softmax"].paper == 99.41
    assert cells["n0", "softmax"].ours == pytest.approx(
        np.mean([run.accuracy for run in group.runs if (run.network, run.loss) == ("n0", "softmax")])
    )
    assert all(figure.agrees for figure in cells.values())
    papers = {(one.network, one.reference, one.loss): one.figure.paper for one in group.accuracy_differences}
    assert papers["n0", "ce-sum", "hardsigmoid"] == TABLE_4["N0", "sum", "Hsigmoid"] / 100 == 0.13
    assert len(papers) == len(TABLE_4)


def test_figures_far_from_the_papers_do_not_agree():
    [group] = analyse(made_up(seeds=5, offset=-100)).groups
    assert not any(cell.figure.agrees for cell in group.accuracies)


@pytest.mark.parametrize("other", [{"dataset": "mnist-5k"}, {"imbalance": 100.0}])
def test_what_the_paper_did_not_train_has_no_figure_of_the_paper(other):
    [group] = analyse(made_up(**other)).groups
    assert all(cell.figure.paper is None and cell.figure.agrees is None for cell in group.accuracies)


def test_differences_are_taken_by_seed():
    """Both losses scatter by whole percents and their differences by hundredths: paired, these are seen."""
    runs = []
    for seed, level in enumerate((9000, 9300, 9700)):
        runs += [
            Run("n0", "ce-mean", "mnist-5k", seed, 1, level, 10_000),
            Run("n0", "tanh", "mnist-5k", 2 - seed, 1, (9700, 9300, 9000)[seed] + 10 + seed, 10_000),
        ]
    runs.append(Run("n0", "tanh", "mnist-5k", 7, 1, 1000, 10_000))  # a seed that cross-entropy does not have
    [group] = analyse(Results("made-up.json", tuple(runs))).groups
    [difference] = group.accuracy_differences
    assert difference.figure.ours == pytest.approx(0.11)
    assert difference.figure.runs == 3
    assert half(difference.figure) < 0.05
    assert difference.p is not None
    assert difference.p < 0.01


def test_adjusted_p_count_all_tests_of_the_group(analysis):
    [group] = analysis.groups
    pairs = [one.agreement.p for one in group.disagreements]
    assert len(pairs) == 2 * 3 * 5 * 3  # networks, cross-entropies, ISBE options, seeds
    assert min(one.adjusted for one in group.disagreements) == pytest.approx(min(1, len(pairs) * min(pairs)))
    raw = [one.p for one in group.accuracy_differences]
    assert min(one.adjusted for one in group.accuracy_differences) == pytest.approx(min(1, len(raw) * min(raw)))


def test_runs_of_different_settings_are_not_mixed():
    """And only the runs that had their machine to themselves tell a time share."""
    alone, beside = made_up(("n0",), lr=0.01), made_up(("n0",), lr=0.1)
    beside = tuple(replace(run, workers=2) for run in beside.runs)
    found = analyse(Results("made-up.json", (*alone.runs, *beside))).groups
    assert [len(group.runs) for group in found] == [24, 24]
    assert [group.title for group in found] == ["mnist, 32 epochs, lr 0.01", "mnist, 32 epochs, lr 0.1"]
    assert [len(group.shares) for group in found] == [8, 0]
    assert [bool(group.share_differences) for group in found] == [True, False]


def test_figures_between_are_left_open():
    """Twelve images above the paper's, with five seeds that scatter by three: neither equal nor different."""
    [group] = analyse(made_up(("n0",), seeds=5, offset=12)).groups
    assert {cell.figure.agrees for cell in group.accuracies} == {None}
    [level] = group.accuracy_levels
    assert level.ours == pytest.approx(-0.12, abs=0.02)
    assert "mean of 5 options" in level.name
    assert f"{level.ours:+.2f} ± {half(level):.2f}" in tables(group)[0].note


def outcomes(results):
    return {one.claim: one.outcome for one in analyse(results).statements}


def test_the_papers_statements_have_outcomes():
    assert outcomes(made_up(("n0", "n1", "n1r"), seeds=5))["Tab3"] == "reproduced"
    assert outcomes(made_up(("n0", "n1"), seeds=5))["Tab3"] == "open"  # a third of the table has not been run
    assert outcomes(made_up(offset=-100))["Tab3"] == "contradicted"
    assert outcomes(made_up(seeds=1))["Tab3"] == "open"
    assert outcomes(made_up(dataset="mnist-5k"))["Tab3"] == "not run"
    assert outcomes(made_up())["S4.2.hard"] == "not run"


def test_a_statement_that_cannot_be_measured_crashes_alone(monkeypatch):
    from softmax_trick.proofs import CLAIMS

    def crash(results):
        raise ZeroDivisionError("no epochs")

    monkeypatch.setitem(CLAIMS, "Tab3", replace(CLAIMS["Tab3"], measure=crash))
    found = outcomes(made_up())
    assert found["Tab3"] == "crashed: ZeroDivisionError: no epochs"
    assert found["Tab1"] != "not run"


# --- tables, charts, page ---------------------------------------------------------------------------------------------


def test_the_tables_show_paper_and_ours(analysis):
    [group] = analysis.groups
    table_3, table_4, images, table_1, table_2 = tables(group)
    assert table_3.headings == ("network", "", *EVERY)
    assert table_3.rows[0] == ("n0", "paper", "99.45", "99.41", "99.47", "99.50", "99.50", "99.56", "99.41", "99.45")
    assert [row[:2] for row in table_3.rows[1:3]] == [("", "ours"), ("", "±")]
    assert "✓ in 16, is not ✗ in 0, and may be either in 0 of 16" in table_3.note
    assert table_4.rows[0] == ("n0", "ce-mean", "paper", "+0.05", "+0.05", "+0.11", "-0.04", "+0.00")
    assert "over 30 tests" in table_4.note
    assert len(images.rows) == 30
    assert "over 90 tests" in images.note
    assert table_1.rows[0][2] == "60.61"
    assert table_2.rows[0][3] == "-2.30"
    for table in tables(group):
        assert {len(row) for row in table.rows} == {len(table.headings)}


def test_a_single_run_makes_a_table_without_intervals():
    [group] = analyse(made_up(("linear",), ("softmax",), seeds=1, dataset="mnist-5k")).groups
    accuracies, _ = tables(group)
    assert [row[1] for row in accuracies.rows] == ["ours"]
    assert accuracies.note.startswith("ours: mean over 1 seed. There is no row")
    assert accuracies.warning == ""


def test_no_probability_is_0():
    assert [_p(value) for value in (None, 0.0, 1e-120, 2e-8, 0.05)] == ["", "< 1e-99", "< 1e-99", "2e-08", "0.050"]


def test_a_long_name_costs_no_figure(capsys):
    """Planted: no column may be broken, so that figures are cut off for the sake of a heading."""
    own = "torch.nn.functional:normalize"
    analysis = analyse(made_up(("n0",), (*EVERY, own), seeds=2))
    Console(width=110).print(in_full(analysis))
    said = capsys.readouterr().out.partition("Do two models")[0]
    assert "…" not in said
    assert "torch.nn" in said
    assert own not in said.partition("ours: mean")[0]


def test_statements_without_runs_are_counted_and_left_out(analysis):
    found = statements(analysis)
    claims = [row[0] for row in found.rows]
    assert "Tab3" in claims
    assert "S4.2.hard" not in claims
    assert f"For {len(analysis.statements) - len(claims)} more there are no runs, or too short ones." in found.note


def test_the_captions_of_the_paper_name_losses():
    assert _named(PANELS[0]) == EVERY
    assert _named("CE none, CE mean versus SoftMax") == ("ce-none", "ce-mean", "softmax")
    assert {loss for panel in (*PANELS, *PANELS_OF_FIGURE_4) for loss in _named(panel)} == set(STYLES) == set(EVERY)


@pytest.fixture
def undrawn(monkeypatch):
    """In the place of a drawing, the titles, axes and labels of its panels: drawing takes seconds."""

    def told(panels, columns):
        found = (text for panel in panels for text in (panel.title, panel.axis, *(one.label for one in panel.lines)))
        svg = "<svg>" + "".join(f"<text>{text}</text>" for text in found) + "</svg>"
        return SimpleNamespace(savefig=lambda file, **_: file.write(svg.encode()))

    monkeypatch.setattr("softmax_trick.report.charts._draw", told)


def texts(svg):
    return {element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")}


def test_the_charts_are_those_of_the_paper(analysis, undrawn):
    found = charts(analysis.groups[0])
    assert [chart.caption.partition(":")[0] for chart in found] == [
        *("As Figure 1, n0", "As Figure 2, n0", "As Figure 3, n0"),
        *("As Figure 1, n1", "As Figure 2, n1", "As Figure 3, n1"),
        "As Figure 4",
    ]
    one, two, three = (texts(chart.svg) for chart in found[:3])
    assert {"training", "validation", "test, at the end", "accuracy, %", "sigmoid"} <= one
    assert set(PANELS) <= two
    assert "ce-sum" not in two  # Figure 2 leaves it out
    assert "ce-sum" in three
    assert {"n0 ce-none", "n1 ce-none"} <= texts(found[6].svg)


def test_the_charts_of_cifar_are_of_the_epochs_named(undrawn):
    [group] = analyse(made_up(("vgg16",), ("ce-mean", *EVERY[3:]), 2, 90, "cifar10")).groups
    captions = [chart.caption for chart in charts(group)]
    assert [caption.partition(",")[0] for caption in captions] == ["As Figure 6", "As Figure 7", "As Figure 8"]
    seven = texts(charts(group)[1].svg)
    assert {"training, epochs 40 to 80", "test, epochs 80 to 120"} <= seven
    assert "ce-mean" not in seven


def test_without_curves_there_are_no_charts():
    runs = [Run("n0", "softmax", "mnist", seed, 3, 9900, 10_000) for seed in range(2)]
    [group] = analyse(Results("made-up.json", tuple(runs))).groups
    assert charts(group) == []


def test_charts_are_drawn_with_names_on_the_axes_and_the_same_each_time():
    [group] = analyse(made_up(("n0",), ("softmax", "tanh"), 2, 3)).groups
    drawn = charts(group)
    assert {"epoch", "test accuracy α, %", "softmax", "tanh"} <= texts(drawn[-1].svg)
    assert [chart.svg for chart in drawn] == [chart.svg for chart in charts(group)]
    paths = "".join(re.findall(r' d="([^"]*)"', drawn[-1].svg))
    assert "." in paths
    assert not re.search(r"\.\d{3}", paths)


def test_what_has_not_learnt_is_named_and_does_not_flatten_the_others():
    """Planted: limits of the axis from all lines; the label without where the line is."""
    lines = [
        Line(loss, [replace(run, test_accuracy=values) for run in made_up(("n0",), ("tanh",), 2, 4).runs], *of)
        for loss, values, of in (
            ("tanh", (97.0, 98.0, 98.5, 99.0), ("test_accuracy", "#000", "-")),
            ("normalize", (9.0, 9.8, 9.8, 9.8), ("test_accuracy", "#000", "-")),
        )
    ]
    axes = Figure().add_subplot()
    _fill(axes, Panel("all options", TEST_ACCURACY, lines))
    assert axes.get_ylim() == pytest.approx((97.9, 99.1))
    assert len(axes.collections) == 0, "no band of two seeds"
    assert [line.get_label() for line in axes.lines] == ["tanh", "normalize (ends at 9.8 %)"]


def test_a_line_is_the_mean_over_the_seeds_and_the_band_its_interval():
    runs = [replace(run, test_accuracy=(0.0, 10.0 + run.seed)) for run in made_up(("n0",), ("tanh",), 3, 2).runs]
    line = Line("tanh", runs, "test_accuracy", "#000", "-")
    axes = Figure().add_subplot()
    _fill(axes, Panel("", TEST_ACCURACY, [line]))
    assert len(axes.collections) == 1
    epochs, means, lows, highs = _points(line, 2, None)
    assert (list(epochs), means) == ([2], [11.0])
    assert (lows[0], highs[0]) == (interval([10, 11, 12]).low, interval([10, 11, 12]).high)


def test_the_page_is_well_formed_and_needs_no_network():
    content = experiments_page(analyse(made_up(("n0",), ("ce-mean", "softmax"), 2, 32)))
    tree = ElementTree.fromstring(content.replace("<!DOCTYPE html>", ""))
    targets = [a.get("href", "") for a in tree.iter("a")]
    assert {target for target in targets if not target.startswith("#")} == {"https://doi.org/10.3390/e26010065"}
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert {target[1:] for target in targets if target.startswith("#")} <= set(ids)
    assert len(ids) == len(set(ids))
    assert not [one.tag for one in tree.iter() if one.tag in ("script", "img", "iframe")]
    drawings = [one for one in tree.iter("svg") if one.get("role") == "img"]
    assert len(drawings) == 6
    assert all("After epoch 32: " in one.get("aria-label", "") for one in drawings)
    assert "99.41" in content


# --- what is said beside figures and lines ----------------------------------------------------------------------------


def notes(results):
    [group] = analyse(results).groups
    return [table.note for table in tables(group) if table.headings[0] == "network" and "less" not in table.headings]


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            {"dataset": "mnist-5k"},
            "There is no row of the paper's: its tables are of mnist, and these runs of mnist-5k.",
        ),
        ({"imbalance": 100.0}, "There is no row of the paper's: it trained on all images of each class"),
        ({"networks": ("linear",)}, "There is no row of the paper's: its tables have none for linear."),
        ({"losses": ("normalize",)}, "There is no row of the paper's: its tables have none for normalize."),
        ({"losses": (*EVERY, "normalize")}, "Figures of the paper's are missing: its tables have none for normalize."),
        ({"epochs": 3}, "and ours for 3 epochs: ✗ says that these runs are shorter"),
        ({"epochs": 1}, "and ours for 1 epoch: ✗ says"),
    ],
)
def test_it_is_said_why_the_paper_has_no_row(results, said):
    note = notes(made_up(**{"networks": ("n0",), "seeds": 3} | results))[0]
    assert said in note
    assert said not in notes(made_up(("n0",), seeds=3))[0]


def test_complete_runs_need_no_excuse():
    """Planted: the sentence in every note."""
    assert not [note for note in notes(made_up(("n0",), epochs=30)) if "row of" in note or "shorter" in note]


def warned(content):
    tree = ElementTree.fromstring(content.replace("<!DOCTYPE html>", ""))
    return ["".join(one.itertext()) for one in tree.iter("p") if one.get("class") == "warning"]


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_an_interval_from_two_runs_has_a_warning(seeds, capsys):
    analysis = analyse(made_up(("n0",), ("ce-mean", "softmax"), seeds, dataset="mnist-5k"))
    found = [table.warning for table in tables(analysis.groups[0]) if table.warning]
    Console(width=120).print(in_full(analysis))
    expected = [few_runs.WARNING] * 4 if seeds == 2 else []
    assert found == warned(experiments_page(analysis)) == expected
    assert ("Two runs say little" in capsys.readouterr().out) == (seeds == 2)
    assert ("Two runs say little" in f"{shown(tables(analysis.groups[0])[0])!r}") is False
    assert ("Two runs say little" in shown(tables(analysis.groups[0])[0])._repr_markdown_()) == (seeds == 2)


def test_a_statement_from_two_runs_has_a_warning():
    """The ledger's own: a difference over two seeds is written out with its interval."""
    two = [Run("n0", loss, "mnist", seed, 30, 9900 + seed, 10_000) for loss in EVERY for seed in range(2)]
    figures = (Measured("a", 1.0, "%", low=0.0, high=2.0, runs=2),)
    analysis = analyse(Results("made-up.json", tuple(two)))
    said = replace(analysis.statements[0], outcome="open", figures=figures)
    assert statements(replace(analysis, statements=(said,))).warning == few_runs.WARNING
    said = replace(said, figures=(replace(figures[0], runs=3),))
    assert statements(replace(analysis, statements=(said,))).warning == ""


def test_bands_are_spoken_of_where_there_are_bands():
    """Planted: bands in the caption of each figure."""

    def lines(*numbers):
        runs = made_up(("n0",), ("tanh",), 3, 4).runs
        return [Panel("p", TEST_ACCURACY, [Line(f"{n}", runs[:n], "test_accuracy", "#000000", "-") for n in numbers])]

    for numbers, said, bands in (
        ((1,), "A line is a single run: there is no mean, and no interval.", 0),
        ((2,), "Lines are means over two seeds, too few for a band", 0),
        ((1, 2), "Lines are means over one or two seeds, too few for a band", 0),
        ((3,), "bands 95 % confidence intervals of the mean.", 1),
        ((2, 3), "bands 95 % confidence intervals of the mean, of three seeds or more", 1),
    ):
        drawn = line_chart.figure("A caption.", lines(*numbers), "x")
        assert said in drawn
        assert drawn.count("<polygon") == bands


def test_a_single_epoch_is_a_dot():
    """Planted: a line of one point, which nobody sees."""
    runs = made_up(("n0",), ("tanh",), 2, 1).runs
    drawn = line_chart.figure(
        "", [Panel("p", TEST_ACCURACY, [Line("tanh", runs, "test_accuracy", "#000000", "-")])], "x"
    )
    assert drawn.count("<circle") == 1
    assert "<polyline" not in drawn
    assert re.findall(r'class="tick"[^>]*>([^<]+)', drawn) == ["1", "epoch"]


@pytest.mark.parametrize(
    ("low", "high", "expected", "digits"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0], 1),
        (98.91, 99.47, [99.0, 99.1, 99.2, 99.3, 99.4], 1),
        (1, 30, [5, 10, 15, 20, 25, 30], 0),
        (-0.013, 0.05, [0.0, 0.02, 0.04], 2),
        (0, 12345, [0, 5000, 10000], 0),
    ],
)
def test_ticks_are_round_and_in_the_range(low, high, expected, digits):
    found, after = line_chart.ticks(low, high, 6)
    assert found == pytest.approx(expected)
    assert after == digits


def test_points_lie_where_their_values_are():
    """The axes, read back from two ticks: a line through (1, 10), (2, 20), (3, 30)."""
    runs = [replace(run, test_accuracy=(10.0, 20.0, 30.0)) for run in made_up(("n0",), ("tanh",), 1, 3).runs]
    drawn = line_chart.figure(
        "", [Panel("p", TEST_ACCURACY, [Line("tanh", runs, "test_accuracy", "#000000", "-")])], "x"
    )
    [points] = re.findall(r'<polyline points="([^"]*)"', drawn)
    heights = [float(pair.split(",")[1]) for pair in points.split()]
    places = [float(pair.split(",")[0]) for pair in points.split()]
    ticks = dict(re.findall(r'class="vertical" x="40" y="([\d.]+)">(\d+)<', drawn))
    at = {int(value): float(height) - 4 for height, value in ticks.items()}
    assert heights == pytest.approx(
        [at[10], at[20], at[30]] if 10 in at else [2 * at[20] - at[30], at[20], at[30]], abs=0.2
    )
    assert [float(x) for x in re.findall(r'class="tick" x="([\d.]+)" y="219', drawn)] == pytest.approx(places)


def test_the_colours_of_lines_are_the_pages():
    """Planted: a colour that is missing there, which would be black on black."""
    css = files("softmax_trick.report").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )
    used = {colour for colour, _ in (*STYLES.values(), *OTHERS)}
    assert used <= set(palette.IN_CSS)
    for name in palette.IN_CSS.values():
        for colours in (light, dark):
            assert contrast(colours[name], colours["paper"]) >= 3, name
    drawn = experiments_page(analyse(made_up(("n0",), EVERY, 3, 4))).partition("</style>")[2]
    assert not re.findall(r"#[0-9a-fA-F]{6}", drawn)


def test_the_legend_of_a_chart_is_off_its_curves():
    """Planted: the legend where matplotlib puts it."""
    [group] = analyse(made_up(("n0",), ("softmax", "tanh"), 2, 3)).groups
    drawn = charts(group)[-1].figure
    drawn.draw_without_rendering()
    [axes] = drawn.axes
    legend = axes.get_legend()
    assert legend
    assert drawn.bbox.y0 <= legend.get_window_extent().y0 < legend.get_window_extent().y1 <= axes.get_window_extent().y0


LOOK = """async (page) => {
  const panels = all(page, ".panel").map((one) => ({
    "drawing": one.querySelector("svg[role=img]").getBoundingClientRect(),
    "legend": one.querySelector(".legend").getBoundingClientRect(),
    "text": one.querySelector("text").getBoundingClientRect().height,
  }));
  return {
    "cut": cut(page),
    "beside": new Set(panels.map((one) => one.drawing.left)).size,
    "covered": panels.filter((one) => one.legend.top < one.drawing.bottom).length,
    "least": Math.min(...panels.map((one) => one.text)), "panels": panels.length,
    "ground": getComputedStyle(page.querySelector(".panel svg")).backgroundColor,
    "curve": getComputedStyle(page.querySelector(".curve")).stroke,
    "table": all(page, ".scroll").some((one) => one.scrollWidth > one.clientWidth),
  };
}"""


def amiss(found, columns):
    checks = {
        "cut": not found["cut"],
        "columns": found["beside"] == columns,
        "legend on curves": found["covered"] == 0,
        "small": found["least"] >= 9,
        "nothing drawn": found["panels"] > 0,
        "ground": found["ground"] == "rgba(0, 0, 0, 0)",
    }
    return [name for name, holds in checks.items() if not holds]


@needs_browser
def test_the_page_in_a_browser_light_and_dark(tmp_path):
    page = experiments_page(analyse(made_up(("n0",), (*EVERY, "torch.nn.functional:normalize"), 3, 32)))
    planted = {
        "cut": (".scroll, .statement,", ".statement,"),
        "columns": ("repeat(auto-fit, minmax(min(100%, 17rem), 1fr))", "repeat(3, 1fr)"),
        "small": (".panel text { fill: var(--soft); font: 11px", ".panel text { fill: var(--soft); font: 5px"),
        "legend on curves": (".legend { display: flex;", ".legend { margin-top: -5rem; display: flex;"),
        "ground": ("svg { display: block; }", "svg { display: block; background: white; }"),
    }
    frames = [Frame(page, 390), Frame(page, 1400)]
    for there, instead in planted.values():
        assert there in page
        frames.append(Frame(page.replace(there, instead), 390))
    phone, desk, *others = look(tmp_path, LOOK, frames, "--blink-settings=preferredColorScheme=1")
    assert (amiss(phone, 1), amiss(desk, 3)) == ([], []), (phone["cut"], desk["cut"])
    assert phone["table"]
    for caught, found in zip(planted, others, strict=True):
        assert caught in amiss(found, 1)
    [dark] = look(tmp_path, LOOK, frames[:1], "--blink-settings=preferredColorScheme=0")
    assert amiss(dark, 1) == []
    assert dark["curve"] != phone["curve"]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def results_file(tmp_path):
    file = tmp_path / "few.json"
    file.write_text(write_results(made_up(("n0",), ("ce-mean", "softmax"), 2, 32).runs))
    return file


def test_the_report_of_a_file(results_file, capsys):
    assert main(["report", str(results_file)]) == 0
    out = capsys.readouterr().out
    assert "mnist, 32 epochs: 4 runs" in out
    assert "99.41" in out
    assert "Tab3" in out


def test_the_report_as_page_and_as_json(results_file, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert main(["report", str(results_file), "--html", str(file), "--json", "-"]) == 0
    assert "As Figure 3, n0" in file.read_text()
    found = json.loads(capsys.readouterr().out)
    [group] = found["groups"]
    assert group["accuracies"][1]["figure"]["paper"] == 99.41
    assert group["disagreements"][0]["agreement"]["p"] <= 1
    assert found["source"] == str(results_file)


def test_the_report_of_a_sweep_reads_its_complete_runs(tmp_path, capsys):
    runs = made_up(("n0",), ("ce-mean", "softmax"), 2, 32).runs
    for number, run in enumerate(runs):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        if number != 3:
            (folder / "result.json").write_text(write_results([run]))
    (tmp_path / "results.json").write_text("older than the runs, and damaged")
    assert main(["report", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "mnist, 32 epochs: 3 runs" in captured.out
    assert "not complete and left out: 1 runs" in captured.err


def test_the_report_of_a_folder_of_results_files(tmp_path, capsys):
    runs = made_up(("n0",), ("ce-mean", "softmax"), 2, 32).runs
    (tmp_path / "a.json").write_text(write_results(runs[:3]))
    (tmp_path / "b.json").write_text(write_results(runs[2:]))
    assert main(["report", str(tmp_path)]) == 0
    assert "mnist, 32 epochs: 4 runs" in capsys.readouterr().out


def test_results_of_another_schema_are_refused_with_the_remedy(results_file, capsys):
    results_file.write_text(results_file.read_text().replace('"schema": 1', '"schema": 7'))
    assert main(["report", str(results_file)]) == 2
    err = capsys.readouterr().err
    assert "few.json was made by softmax-trick" in err
    assert "with schema 7, this version reads schema 1: run softmax-trick sweep" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "it does not exist"),
        ("nothing", "it holds no runs and no results files"),
        ("unfinished", "none of its 1 runs has the result.json that softmax-trick sweep writes"),
    ],
)
def test_a_folder_without_runs_is_named(tmp_path, capsys, content, message):
    place = tmp_path / "runs"
    if content:
        place.mkdir()
    if content == "unfinished":
        (place / "run").mkdir()
        (place / "run" / "config.json").write_text("{}")
    assert main(["report", str(place)]) == 2
    assert message in capsys.readouterr().err


def test_without_matplotlib_the_page_is_whole(results_file, tmp_path, analysis, monkeypatch):
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["report", str(results_file), "--html", str(tmp_path / "x.html")]) == 0
    content = (tmp_path / "x.html").read_text()
    assert content.count('<div class="panel">') == 6
    assert "As Table 3" in content or "(as Table 3)" in content
    with pytest.raises(MissingExtra, match=r"softmax-trick\[plot\]"):
        charts(analysis.groups[0])


def test_outputs_are_looked_at_before_the_work(results_file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("softmax_trick.experiments.analysis.analyse", lambda _: pytest.fail("it began"))
    assert main(["report", str(results_file), "--html", str(tmp_path / "no" / "x.html")]) == 2
    assert main(["report", str(results_file), "--html", "-", "--json", "-"]) == 2
