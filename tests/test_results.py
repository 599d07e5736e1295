"""Results files: what the measured claims are held against, and what is wrong with a file that cannot be used."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

import softmax_trick
from softmax_trick.cli import main
from softmax_trick.ledger.claims import Claim, Verdict
from softmax_trick.ledger.run import Ledger
from softmax_trick.measurements.results import (
    NORMALIZE,
    SCHEMA,
    Results,
    ResultsError,
    Run,
    beside,
    committed_results,
    load_results,
    outcome,
    write_results,
)
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.section_4_curves import NORMALIZED
from softmax_trick.proofs.section_4_experiments import EVERY

RUN = {
    "network": "n0",
    "loss": "softmax",
    "dataset": "mnist",
    "seed": 0,
    "epochs": 40,
    "correct": 9941,
    "test_images": 10_000,
}


def write(folder, **content):
    file = folder / "results.json"
    file.write_text(json.dumps({"schema": SCHEMA, "version": softmax_trick.__version__, "runs": [RUN], **content}))
    return file


def test_a_file_is_read(tmp_path):
    runs = [RUN, {**RUN, "seed": 1, "tau": 57.5, "train_loss": [0.5] * 39 + [0.25]}]
    results = load_results(write(tmp_path, runs=runs))
    assert results.source == "results.json"
    assert [run.accuracy for run in results.of("n0", "softmax")] == [99.41, 99.41]
    assert results.runs[1].train_loss[-2:] == (0.5, 0.25)
    assert results.of("n1", "softmax") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"runs": [{**RUN, "network": "n9"}]}, r"\['runs'\]\[0\]\['network'\].*n9"),
        ({"runs": [{**RUN, "correct": -1}]}, r"\['correct'\]"),
        ({"runs": [{k: v for k, v in RUN.items() if k != "seed"}]}, "'seed' is a required property"),
        ({"runs": 3}, r"\['runs'\]"),
        (
            {"schema": 2, "version": "9.9"},
            r"made by softmax-trick 9\.9 with schema 2, this version reads schema 1: ",
        ),
        ({"schema": "1"}, "with schema 1"),
        ({"runs": [{**RUN, "tau": 101}]}, r"\['tau'\]"),
        (
            {"runs": [{**RUN, "correct": 9_999, "wrong": [[1, 2], [3, 4]]}]},
            r"contradicts itself.*\['wrong'\]: 1 of",
        ),
        ({"runs": [{**RUN, "correct": 9_998, "wrong": [[1, 2], [1, 3]]}]}, "contradicts itself.*each once"),
        ({"runs": [{**RUN, "correct": 9_999, "wrong": [[10_000, 2]]}]}, "contradicts itself.*indices from 0"),
        ({"runs": [{**RUN, "test_loss": [1.0]}]}, r"contradicts itself.*\['test_loss'\]: it has 1 values, and the run"),
        ({"runs": [{**RUN, "epochs": 1, "test_accuracy": [9.0]}]}, "contradicts itself.*it ends at 9 %, and"),
        ({"runs": [RUN, {**RUN, "correct": 1}]}, "contradicts itself: it has two runs of"),
        ({"runs": [{**RUN, "correct": 9_999, "wrong": [[1]]}]}, "contradicts itself.*pairs of whole numbers"),
        ({"runs": [{**RUN, "correct": 9_999, "wrong": [[1, True]]}]}, "contradicts itself.*pairs of whole numbers"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(tmp_path, content, message):
    with pytest.raises(ResultsError, match=message):
        load_results(write(tmp_path, **content))


def test_a_file_without_a_number_of_its_schema_is_refused(tmp_path):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"version": "0.1.0", "runs": [RUN]}))
    with pytest.raises(ResultsError, match=r"made by softmax-trick 0\.1\.0 with schema 0, which had no number"):
        load_results(file)


def test_the_version_is_for_information(tmp_path):
    assert len(load_results(write(tmp_path, version="7.0")).runs) == 1


def test_what_is_written_is_read(tmp_path):
    full = Run(
        "n1", "tanh", "fashion-mnist", 3, 2, 98, 100, 51.5, 2, {"lr": 0.01, "augment": True}, ((7, 1), (40, 9)),
        *[(0.5, 0.25)] * 5 + [(97.0, 98.0)],
    )  # fmt: skip
    bare = Run("n0", "my.module:function", "cifar10", 0, 1, 5, 10)
    file = tmp_path / "results.json"
    file.write_text(write_results([full, bare]))
    assert load_results(file).runs == (full, bare)
    assert len(file.read_text().splitlines()) == 4  # a run a line, so that a commit shows what changed


def test_a_run_in_several_files_counts_once(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(write_results(runs_with(9941, 9942).runs))
    two.write_text(write_results(runs_with(9941, 9942, 9943).runs))
    assert [run.seed for run in load_results(one, two).runs] == [0, 1, 2]
    assert load_results(one, two).source == "one.json, two.json"


def test_what_is_no_number_of_json_is_neither_read_nor_written(tmp_path):
    file = write(tmp_path)
    file.write_text(file.read_text().replace("9941", "NaN"))
    with pytest.raises(ResultsError, match="not JSON: NaN"):
        load_results(file)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results([replace(runs_with(1).runs[0], tau=math.nan)])


def test_the_longest_protocol_counts_whatever_the_loss_and_no_long_tail():
    short, long = {"lr": 0.1}, {"lr": 0.1, "augment": True}
    runs = (
        Run("n0", "softmax", "mnist", 0, 3, 1, 10, tau=50.0, settings=short),
        Run("n0", "tanh", "mnist", 0, 3, 2, 10, tau=51.0, settings=short),
        Run("n0", "softmax", "mnist", 0, 40, 3, 10, tau=52.0, workers=2, settings=long),
        Run("n0", "softmax", "mnist", 0, 90, 4, 10, settings={"imbalance": 100.0}),
    )
    results = Results("made-up.json", runs)
    assert [run.correct for run in results.of("n0", "softmax")] == [3]
    assert results.of("n0", "tanh") == []  # it was not trained as long
    assert Results("made-up.json", runs[:2]).of("n0", "softmax") == []  # 3 epochs are no training
    # Shares of time are those of the runs that had their machine to themselves.
    assert [run.tau for run in results.timed("n0", "softmax")] == [50.0]
    assert [run.tau for run in results.timed("n0", "tanh")] == [51.0]


def committed(monkeypatch, folder):
    """Lets the package softmax_trick.results_data be this folder; None for an installation without it."""

    def files(package):
        if package != "softmax_trick.results_data":
            return resources.files(package)
        if folder is None:
            raise ModuleNotFoundError(package)
        return folder

    monkeypatch.setattr("softmax_trick.measurements.results.files", files)


def test_committed_results_are_those_in_the_package(tmp_path, monkeypatch):
    for folder in (None, tmp_path):
        committed(monkeypatch, folder)
        assert committed_results() is None
    (tmp_path / "b.json").write_text(write_results(runs_with(9941).runs))
    (tmp_path / "a.json").write_text(write_results(runs_with(9941, 9942).runs))
    found = committed_results()
    assert found is not None
    assert (found.source, len(found.runs)) == ("a.json, b.json", 2)


def test_the_committed_files_fit_their_schema():
    for path in (Path(__file__).parents[1] / "results").glob("*.json"):
        assert load_results(path).runs


def test_verify_takes_the_committed_results_a_named_file_and_each_change_of_them(tmp_path, monkeypatch, capsys):
    def ours():
        main(["verify", "Tab3", "--json", "-", *arguments])
        [claim] = json.loads(capsys.readouterr().out)["claims"]
        return [round(100 * figure["ours"]) for figure in claim["evidence"][0]["figures"]]

    committed(monkeypatch, tmp_path)
    arguments = []
    assert ours() == []
    (tmp_path / "table3.json").write_text(write_results(runs_with(9941, 9943).runs))
    assert ours() == [9942]
    (tmp_path / "table3.json").write_text(write_results(runs_with(9941, 9949).runs))
    assert ours() == [9945]
    (tmp_path / "mine.txt").write_text(write_results(runs_with(9800, 9802).runs))
    arguments = ["--results", str(tmp_path / "mine.txt")]
    assert ours() == [9801]


def test_a_committed_file_that_cannot_be_used_is_named(tmp_path, monkeypatch, capsys):
    committed(monkeypatch, tmp_path)
    (tmp_path / "table3.json").write_text("{")
    assert main(["verify", "Tab3"]) == 2
    assert "table3.json is not JSON" in capsys.readouterr().err


def test_what_is_no_json_or_not_there_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="No such file"):
        load_results(tmp_path / "nothing.json")
    (tmp_path / "text").write_text("accuracy: good")
    with pytest.raises(ResultsError, match="is not JSON"):
        load_results(tmp_path / "text")


def test_a_figure_agrees_where_its_interval_lies_in_the_range():
    values = [99.38, 99.45, 99.40, 99.42]
    figure = beside("accuracy", values, (99.3, 99.5), 99.41)
    assert figure.agrees
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.ours < figure.high
    assert (figure.runs, figure.paper) == (4, 99.41)
    assert beside("accuracy", values, (99.0, 99.2)).agrees is False
    assert beside("accuracy", values, (99.4, 99.5)).agrees is None


def test_the_interval_is_students():
    """Mean 2, standard deviation 1, n = 3: the 95 % interval is 2 +- 4.302653 / sqrt(3), by the table of t."""
    figure = beside("x", [1.0, 2.0, 3.0], unit="")
    assert (figure.low, figure.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert figure.agrees is None


def test_one_run_is_no_test():
    figure = beside("accuracy", [99.0], (98.0, 100.0))
    assert (figure.agrees, figure.low, figure.runs) == (None, None, 1)


@pytest.mark.parametrize(
    ("agreeing", "needed", "said"),
    [
        ((True, True), 2, "holds"),
        ((True, True), 3, "open"),  # a third has not been measured
        ((True, None), 2, "open"),  # planted: what the interval leaves open was passed over
        ((None, False), 3, "fails"),
        ((), 1, "open"),
    ],
)
def test_a_statement_of_several_figures(agreeing, needed, said):
    assert outcome([replace(beside("x", [1.0]), agrees=one) for one in agreeing], needed) == said


def test_what_has_not_been_measured_is_the_reason():
    claim = Claim("S4.x", "t", "s", "s", measure=lambda _: (beside("x", [1.0, 1.1, 0.9], (0.0, 2.0)),), figures=2)
    result = Ledger({claim.id: claim}, results=runs_with(1)).result(claim.id)
    assert result.judgement.reason == "experiment: 1 of 2 figures have been measured, and pass"


def measured(results):
    claim = Claim(
        id="S4.x",
        title="t",
        statement="s",
        source="s",
        measure=lambda found: (
            (beside("accuracy", [run.accuracy for run in found.of("n0", "softmax")], (99.3, 99.5)),)
            if found.runs
            else ()
        ),
    )
    return Ledger({claim.id: claim}, results=results).result(claim.id)


def runs_with(*correct):
    runs = tuple(Run("n0", "softmax", "mnist", seed, 40, n, 10_000) for seed, n in enumerate(correct))
    return Results("results.json", runs)


def test_without_results_a_measured_claim_is_not_run():
    reasons = {None: "experiment: not run", (): "experiment: not run, or for less than 30 epochs"}
    for runs, reason in reasons.items():
        result = measured(None if runs is None else Results("results.json", runs))
        assert result.verdict is Verdict.UNDECIDED
        assert result.judgement.reason == reason


def test_an_interval_that_leaves_it_open_is_the_reason():
    """ISBE is calmer with the first seed, and less calm with the other two."""
    calm, wild = (91.0,) * 40, (90.0, 92.0) * 20

    def run(loss, seed):
        curve = calm if (seed == 0) is (loss in NORMALIZED) else wild
        return Run("n0", loss, "mnist", seed, 40, 9_100, 10_000, train_loss=curve, test_loss=curve, test_accuracy=curve)

    runs = tuple(run(loss, seed) for loss in EVERY for seed in range(3))
    result = Ledger(CLAIMS, results=Results("results.json", runs)).result("S4.1.3.stable")
    assert result.verdict is Verdict.UNDECIDED
    assert result.judgement.reason == "experiment: the interval leaves it open"


def test_of_a_single_seed_nothing_is_said():
    result = measured(runs_with(9938))
    assert result.verdict is Verdict.UNDECIDED
    assert result.judgement.reason == "experiment: too few seeds for a test"
    assert result.evidence[0].figures[0].ours == pytest.approx(99.38)


@pytest.mark.parametrize(
    ("correct", "epochs", "verdict"),
    [
        ((9700, 9710, 9720), 1, "fails"),  # it has learnt
        ((980, 1000, 1135), 40, "holds"),
        ((980, 1000, 1135), 3, "open"),  # it might yet
        ((980, 1000, 9800), 40, "open"),  # it learns at times
        ((9700,), 40, "open"),
    ],
)
def test_whether_it_learns_with_normalize_at_the_papers_rate(correct, epochs, verdict):
    numbered = list(enumerate(correct))
    runs = [Run(net, NORMALIZE, "mnist", seed, epochs, n, 10_000) for net in ("n0", "n1") for seed, n in numbered]
    longtail = Run("n0", NORMALIZE, "mnist", 9, epochs + 1, 9999, 10_000, settings={"imbalance": 100.0})
    ledger = Ledger(CLAIMS, results=Results("results.json", (*runs, longtail)))
    result = ledger.result("S3.normalize.diverges")
    assert result.evidence[0].outcome == verdict
    assert result.evidence[0].figures[0].runs == len(correct)
    # Planted: a run at another rate, which learns, does not count against what the paper says of its own.
    slower = [replace(run, settings={"lr": 1e-4}, epochs=epochs + 1, correct=8300 + run.seed) for run in runs]
    ledger = Ledger(CLAIMS, results=Results("results.json", (*slower,)))
    assert ledger.result("S3.normalize.diverges").evidence[0].outcome == "open"
    if len(correct) > 1:
        assert ledger.result("S3.normalize.rate").evidence[0].outcome == "holds"


@pytest.mark.parametrize(("correct", "outcome"), [((9938, 9945, 9940), "holds"), ((9801, 9802, 9803), "fails")])
def test_with_results_it_is_measured_whichever_way_they_point(correct, outcome):
    result = measured(runs_with(*correct))
    assert result.verdict is Verdict.MEASURED
    assert result.rung == "sampled"
    assert result.evidence[0].outcome == outcome
    assert result.evidence[0].figures[0].runs == 3
