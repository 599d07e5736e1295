"""Results files: what the measured claims are held against, and what is wrong with a file that cannot be used."""

from __future__ import annotations

import json

import pytest

import softmax_trick
from softmax_trick.claims import Claim, Verdict
from softmax_trick.ledger import Ledger
from softmax_trick.results import Results, ResultsError, Run, beside, load_results

RUN = {
    "network": "n0",
    "loss": "softmax",
    "dataset": "mnist",
    "seed": 0,
    "epochs": 20,
    "correct": 9941,
    "test_images": 10_000,
}


def write(folder, **content):
    file = folder / "results.json"
    file.write_text(json.dumps({"version": softmax_trick.__version__, "runs": [RUN], **content}))
    return file


def test_a_file_is_read(tmp_path):
    runs = [RUN, {**RUN, "seed": 1, "tau": 57.5, "train_loss": [0.5, 0.25]}]
    results = load_results(write(tmp_path, runs=runs))
    assert results.source == "results.json"
    assert [run.accuracy for run in results.of("n0", "softmax")] == [99.41, 99.41]
    assert results.runs[1].train_loss == (0.5, 0.25)
    assert results.of("n1", "softmax") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"runs": [{**RUN, "network": "n9"}]}, r"\['runs'\]\[0\]\['network'\].*n9"),
        ({"runs": [{**RUN, "correct": -1}]}, r"\['correct'\]"),
        ({"runs": [{k: v for k, v in RUN.items() if k != "seed"}]}, "'seed' is a required property"),
        ({"runs": 3}, r"\['runs'\]"),
        ({"version": "0.0.9"}, r"made by softmax-trick 0\.0\.9.*run it again"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(tmp_path, content, message):
    with pytest.raises(ResultsError, match=message):
        load_results(write(tmp_path, **content))


def test_what_is_no_json_or_not_there_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="No such file"):
        load_results(tmp_path / "nothing.json")
    (tmp_path / "text").write_text("accuracy: good")
    with pytest.raises(ResultsError, match="is not JSON"):
        load_results(tmp_path / "text")


def test_a_figure_agrees_with_runs_that_scatter_around_it():
    figure = beside("accuracy", 99.41, [99.38, 99.45, 99.40, 99.42])
    assert figure.agrees
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.ours < figure.high
    assert figure.runs == 4
    assert beside("accuracy", 98.0, [99.38, 99.45, 99.40, 99.42]).agrees is False


def test_the_interval_is_students():
    """Mean 2, standard deviation 1, n = 3: the 95 % interval is 2 +- 4.302653 / sqrt(3), by the table of t."""
    figure = beside("x", None, [1.0, 2.0, 3.0], "")
    assert (figure.low, figure.high) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-5)
    assert figure.agrees is None


def test_one_run_is_no_test():
    figure = beside("accuracy", 99.41, [99.0])
    assert (figure.agrees, figure.low, figure.runs) == (None, None, 1)


def measured(results):
    claim = Claim(
        id="S4.x",
        title="t",
        statement="s",
        source="s",
        measure=lambda found: (
            (beside("accuracy", 99.41, [run.accuracy for run in found.of("n0", "softmax")]),) if found.runs else ()
        ),
    )
    return Ledger({claim.id: claim}, results=results).result(claim.id)


def runs_with(*correct):
    runs = tuple(Run("n0", "softmax", "mnist", seed, 20, n, 10_000) for seed, n in enumerate(correct))
    return Results("results.json", runs)


def test_without_results_a_measured_claim_is_not_run():
    for result in (measured(None), measured(Results("results.json", ()))):
        assert result.verdict is Verdict.UNDECIDED
        assert result.judgement.reason == "experiment: not run"


@pytest.mark.parametrize(("correct", "outcome"), [((9938, 9945, 9940), "holds"), ((9801, 9802, 9803), "fails")])
def test_with_results_it_is_measured_whichever_way_they_point(correct, outcome):
    result = measured(runs_with(*correct))
    assert result.verdict is Verdict.MEASURED
    assert result.rung == "sampled"
    assert result.evidence[0].outcome == outcome
    assert result.evidence[0].figures[0].runs == 3
