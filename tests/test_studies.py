"""Studies: their trials are made once, whatever happens meanwhile, kept, read again, and judged by the rule."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import noise
from distributed import LocalCluster

from softmax_trick.cli import main
from softmax_trick.experiments import studies
from softmax_trick.experiments import sweep as module
from softmax_trick.experiments.studies import (
    STUDIES,
    admm,
    features,
    incremental,
    information,
    label_only,
    localisation,
    long_tail,
    theory,
)
from softmax_trick.experiments.study import Measured, Study
from softmax_trick.experiments.trial import TrialRun, as_kept
from softmax_trick.measurements.findings import Arms, Statement, by_group, findings, undecided
from softmax_trick.measurements.results import ResultsError
from softmax_trick.measurements.trials import Picture, Trial, load_trials, write_trials
from softmax_trick.report.studies_tables import in_words
from softmax_trick.training import TrainingError

pytestmark = pytest.mark.usefixtures("one_thread")

PICTURE = Picture.of(np.array([[0.0, 1.0, 0.5], [1.0, 0.0, 0.0]]))
TRIAL = Trial(
    "toy",
    "first",
    0,
    {"rate": 0.1, "net": "none", "normed": True},
    {"a": {"q": 1.0, "r": -2.5}, "b": {"q": 3.0}},
    {"a": {"q": (0.5, 1.0)}},
    {"one, a": PICTURE},
)


# --- results files ----------------------------------------------------------------------------------------------------


def test_a_results_file_can_be_read_again(tmp_path):
    file = tmp_path / "results.json"
    file.write_text(write_trials([TRIAL, replace(TRIAL, seed=1, pictures={}, curves={})]))
    first, second = load_trials(file, file)
    assert first == replace(TRIAL, curves={"a": {"q": [0.5, 1.0]}})
    assert second.seed == 1
    assert (PICTURE.array == [[0, 255, 128], [255, 0, 0]]).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"schema": 1', '"schema": 2', "has schema 2, this version reads 1"),
        ('"seed": 0', '"seed": -1', r"does not fit its schema: at \['trials'\]\[0\]\['seed'\]"),
        ('"width": 3', '"width": 4', "has 6 pixels, not 2 x 4"),
        ('"levels": "', '"levels": "?', "is not in base64"),
        ('"first"', '"fi\\u001b[0m"', "characters that cannot be printed"),
        ('"trials": [', '"trials": {', "is not JSON"),
        ('"q": 1.0', '"q": "1.0"', "does not fit its schema"),
    ],
)
def test_a_results_file_that_is_none_is_refused(tmp_path, old, new, message):
    file, text = tmp_path / "results.json", write_trials([TRIAL])
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(ResultsError, match=message):
        load_trials(file)


def test_what_is_not_finite_is_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_trials([replace(TRIAL, values={"a": {"q": math.nan}})])


# --- what trials say --------------------------------------------------------------------------------------------------

ABOVE = Statement("b is above a", "a theorem", "q", "b", 0.0, math.inf, "a")


def trials_with(differences, group="g", scatter=0.1, b=True):
    """One trial a seed; b is so much above a."""
    random = np.random.RandomState(5)
    found = []
    for seed, difference in enumerate(differences):
        a = seed + scatter * random.standard_normal()  # what a seed does to both alike is taken out
        values = {"a": {"q": a}, "b": {"q": a + difference + scatter * random.standard_normal()}}
        found.append(Trial("toy", group, seed, {}, values if b else {"a": values["a"]}))
    return found


def full_level(trials):
    found = Arms(trials, "q").difference("a", "b")
    assert found is not None
    return found.lies_in(0, math.inf)


@pytest.mark.parametrize(
    ("differences", "outcome", "seeds"),
    [
        ([2.0] * 3, "holds", 3),
        ([2.0] * 8, "holds", 3),
        ([-2.0] * 8, "fails", 3),
        ([0.0] * 4, "open", 3),
        ([0.0] * 9, "open", 8),
        ([2.0] * 2, "not run", 0),
    ],
)
def test_a_verdict_says_when_it_stopped(differences, outcome, seeds):
    [finding] = findings([ABOVE], trials_with(differences))
    assert (finding.outcome, finding.seeds) == (outcome, seeds)
    assert undecided([ABOVE], trials_with(differences)) == (outcome in ("open", "not run"))


def test_a_later_look_decides_what_an_earlier_one_left_open():
    """Planted: a look at all seeds that are there, at the full level, as soon as one pleases."""
    trials = trials_with([0.5] * 8, scatter=0.2)
    [finding] = findings([ABOVE], trials)
    assert (finding.outcome, finding.seeds) == ("holds", 5)
    [at_first] = findings([ABOVE], trials[:3])
    assert at_first.outcome == "open"
    assert full_level(trials[:3]) is True


def test_looks_spend_the_level_together():
    """Without a difference one of the looks decides in no more than 5 % of all cases; three at the full level do so
    more often."""
    random = np.random.RandomState(0)
    wrong = careless = 0
    for _ in range(400):
        values = random.standard_normal((8, 2))
        trials = [Trial("toy", "g", s, {}, {"a": {"q": x}, "b": {"q": y}}) for s, (x, y) in enumerate(values)]
        wrong += findings([ABOVE], trials)[0].outcome != "open"
        careless += any(full_level(trials[:look]) is not None for look in (3, 5, 8))
    assert wrong / 400 < 0.05 < careless / 400


def test_a_statement_fails_only_where_the_interval_of_all_its_groups_does():
    one = trials_with([-0.6] * 3, scatter=0.07)
    assert findings([ABOVE], one)[0].outcome == "fails"
    many = [replace(trial, group=f"g{number}") for number in range(60) for trial in one]
    assert {finding.outcome for finding in findings([ABOVE], many)} == {"open"}


def test_an_arm_without_a_value_is_open_and_one_that_is_missing_is_not_asked():
    diverged = trials_with([2.0] * 3)
    diverged[1] = replace(diverged[1], values={"a": {"q": 1.0}, "b": {"r": 1.0}})
    [finding] = findings([ABOVE], diverged)
    assert (finding.outcome, in_words(finding.estimate)) == ("open", "-")
    assert findings([ABOVE], trials_with([2.0] * 3, b=False)) == []


def test_an_arms_own_mean_and_groups():
    own = Statement("a is small", "a theorem", "q", "a", -100, 100, groups=("g",))
    trials = [*trials_with([0.0] * 3), *trials_with([0.0] * 3, group="h")]
    assert [(one.group, one.outcome) for one in findings([own], trials)] == [("g", "holds")]


# --- trials are made, once --------------------------------------------------------------------------------------------


def toy(made, fail=()):
    def measure(protocol, seed, data_dir):
        made.append((protocol["place"], seed))
        if made[-1] in fail:
            raise TrainingError("a memory larger than the data")
        a, b = seed + 0.01 * seed**2, seed + 2.0 + 0.01 * seed
        pictures = {"1, image": PICTURE, "1, map": PICTURE} if seed == 0 else {}
        return Measured({"a": {"q": a}, "b": {"q": b}}, {"a": {"q": [a, a]}, "b": {"q": [b]}}, pictures)

    return Study(
        name="toy",
        title="a study of nothing",
        work="nobody",
        groups=("first", "second, of two"),
        protocol=lambda group: {"place": group, "rate": 1 / 3},
        measure=measure,
        quantities={"q": "points"},
        statements=(ABOVE,),
    )


@pytest.fixture(scope="module")
def scheduler():
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as cluster:
        yield cluster.scheduler_address


def test_a_study_by_one_command(tmp_path, capsys, scheduler, monkeypatch):
    """Interrupted or not, each trial is made once; the report can be made again from the results file alone."""
    made: list[tuple[str, int]] = []
    monkeypatch.setitem(studies.STUDIES, "toy", toy(made, fail=[("second, of two", 1)]))
    command = ["sweep", "toy", "--out", str(tmp_path), "--scheduler", scheduler]
    assert main(command) == 1
    captured = capsys.readouterr()
    assert "toy-second-of-two-seed1 failed: a memory larger than the data" in captured.err
    assert "5 done, 0 complete before, 1 failed" in captured.out

    made.clear()
    monkeypatch.setitem(studies.STUDIES, "toy", toy(made))
    assert main(command) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert made == [("second, of two", 1)]
    assert "1 done, 5 complete before, 0 failed" in out
    assert "b is above a a theorem first reproduced 3 1.9" in out
    assert len(load_trials(tmp_path / "results.json")) == 6
    page = (tmp_path / "report.html").read_text()
    assert page.count("<figure>") == 2
    assert "b is above a" in page

    assert main(["report", str(tmp_path / "results.json"), "--html", str(tmp_path / "again.html")]) == 0
    assert "reproduced" in capsys.readouterr().out
    assert (tmp_path / "again.html").read_text().count("<figure>") == 2
    assert main(["report", str(tmp_path), "--json", str(tmp_path / "copy.json")]) == 0
    assert load_trials(tmp_path / "copy.json") == load_trials(tmp_path / "results.json")


def test_looks_go_on_until_nothing_is_open(tmp_path, capsys, scheduler, monkeypatch):
    made: list[tuple[str, int]] = []
    monkeypatch.setitem(studies.STUDIES, "toy", toy(made))
    assert main(["sweep", "toy", "--out", str(tmp_path), "--scheduler", scheduler, "--looks"]) == 0
    assert len(made) == 6
    never = replace(ABOVE, low=-1.0, high=1.9)
    monkeypatch.setitem(studies.STUDIES, "toy", replace(toy(made), statements=(replace(never, high=1.97),)))
    assert main(["sweep", "toy", "--out", str(tmp_path), "--scheduler", scheduler, "--looks"]) == 0
    assert len(made) == 16
    assert "8 seeds" in capsys.readouterr().out


def test_trials_are_taken_from_a_results_file(tmp_path, capsys, scheduler, monkeypatch):
    """Planted: a trial of another seed, one by another protocol, and one whose folder is there, are not."""
    made: list[tuple[str, int]] = []
    monkeypatch.setitem(studies.STUDIES, "toy", toy(made))
    command = ["sweep", "toy", "--scheduler", scheduler, "--out"]
    assert main([*command, str(tmp_path / "a"), "--seeds", "2"]) == 0
    kept = tmp_path / "a" / "results.json"
    kept.write_text(kept.read_text().replace("0.333333", "0.7", 1))
    made.clear()
    (tmp_path / "b" / TrialRun("toy", "second, of two", 0).folder_name).mkdir(parents=True)
    assert main([*command, str(tmp_path / "b"), "--seeds", "3", "--from", str(kept)]) == 0
    assert sorted(made) == [("first", 0), ("first", 2), ("second, of two", 0), ("second, of two", 2)]
    assert f"2 of 6 taken from {kept}" in capsys.readouterr().out
    kept.write_text("{")
    assert main([*command, str(tmp_path / "c"), "--from", str(kept)]) == 2
    assert "is not JSON" in capsys.readouterr().err


def test_a_number_of_the_protocol_can_be_set_and_is_stated(tmp_path, capsys, scheduler, monkeypatch):
    """Planted: a trial that was made with the usual number is not taken for one with another."""
    made: list[tuple[str, int]] = []
    monkeypatch.setitem(studies.STUDIES, "toy", toy(made))
    command = ["sweep", "toy", "--seeds", "1", "--out", str(tmp_path), "--scheduler", scheduler]
    assert main(command) == 0
    assert main([*command, "--set", "rate = 0.5"]) == 0
    assert len(made) == 4
    assert [trial.protocol["rate"] for trial in load_trials(tmp_path / "results.json")] == [0.5, 0.5]
    assert "rate: 0.5" in capsys.readouterr().out
    yes = Study("s", "", "", ("g",), lambda group: {"normed": True, "n": 3}, toy(made).measure, {}, ())
    assert [yes.change(text) for text in ("normed=false", "n=4")] == [("normed", False), ("n", 4)]
    with pytest.raises(ValueError, match="normed is true or false, not '0'"):
        yes.change("normed=0")


def test_a_trial_by_another_protocol_or_damaged_is_made_again(tmp_path, monkeypatch):
    made: list[tuple[str, int]] = []
    study = toy(made)
    monkeypatch.setitem(studies.STUDIES, "toy", study)
    trial = TrialRun("toy", "first", 0)
    trial.make(tmp_path, None)
    assert trial.finished(tmp_path)
    assert not replace(trial, seed=1).finished(tmp_path)
    monkeypatch.setitem(studies.STUDIES, "toy", replace(study, protocol=lambda group: {"place": group, "rate": 0.5}))
    assert not trial.finished(tmp_path)
    monkeypatch.setitem(studies.STUDIES, "toy", study)
    (tmp_path / trial.folder_name / "result.json").write_text("{")
    assert not trial.finished(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["theory", "--net", "n0"], "--net is not for a study: theory says itself what it trains"),
        (["theory", "--looks", "--seeds", "3"], "--looks chooses the number of seeds: leave --seeds out"),
        (["linear", "--looks"], "--looks is for the studies; linear takes --seeds"),
        (["linear", "--set", "epochs=3"], "--set is for the studies; linear has options of its own"),
        (["incremental", "--set", "memory=9"], "incremental has no 'memory' that could be set; it has images a class"),
        (["theory", "--set", "slack=2"], "theory has no 'slack' that could be set"),
        (["theory", "--set", "net=n1"], "theory has no 'net' that could be set"),
        (["admm", "--set", "rho'"], "admm has no '' that could be set; it has training images, alpha, rho'"),
        (["admm", "--set", "rho'=much"], "rho' is a number, not 'much'"),
        (["admm", "--set", "rho'=inf"], "rho' = inf: it must be finite"),
        (["admm", "--set", "iterations=2.5"], "iterations is a whole number, not '2.5'"),
        (["admm", "--set", "iterations=0"], "iterations = 0: it must be 1 or more"),
        (["theorie"], "did you mean theory"),
    ],
)
def test_wrong_usage_is_named(tmp_path, capsys, arguments, message):
    assert main(["sweep", *arguments, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_ctrl_c_in_a_study_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(studies.STUDIES, "toy", toy([]))
    TrialRun("toy", "first", 0).make(tmp_path, None)
    monkeypatch.setattr(module, "sweep", interrupted)
    assert main(["sweep", "toy", "--out", str(tmp_path)]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert len(load_trials(tmp_path / "results.json")) == 1  # what is complete is put together all the same


def test_trials_and_runs_are_not_mixed_in_a_report(tmp_path, capsys):
    (tmp_path / "a.json").write_text(write_trials([TRIAL]))
    (tmp_path / "b.json").write_text(json.dumps({"schema": 1, "version": "0", "runs": []}))
    assert main(["report", str(tmp_path)]) == 2
    assert "report them one after the other" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "a.json")]) == 2
    assert "there is no study 'toy'" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "b.json")]) == 2
    assert "no run is complete" in capsys.readouterr().err
    (tmp_path / "a.json").write_text(write_trials([TRIAL, replace(TRIAL, values={})]))
    assert main(["report", str(tmp_path / "a.json")]) == 2
    assert "it has two trials of toy" in capsys.readouterr().err


def test_the_studies_are_listed(capsys):
    assert main(["sweep", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in STUDIES)


# --- what is committed ------------------------------------------------------------------------------------------------

COMMITTED = sorted((Path(__file__).parents[1] / "results" / "studies").glob("*.json"))


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.stem)
def test_what_is_committed_is_whole_and_by_the_protocol_of_this_version(file):
    """Every group with the seeds 0 to S - 1, three at least, so that no group was left out for what came out of it."""
    study, trials = STUDIES[file.stem], load_trials(file)
    seeds = {group: sorted(trial.seed for trial in trials if trial.group == group) for group in study.groups}
    number = max(map(len, seeds.values()))
    assert number >= 3
    assert seeds == {group: list(range(number)) for group in study.groups}
    for trial in trials:
        assert (trial.study, trial.protocol) == (study.name, as_kept(study.protocol(trial.group)))


# --- the studies themselves, small ------------------------------------------------------------------------------------

SMALL = {
    "training images": 200,
    "test images": 64,
    "images held out": 10,
    "epochs": 1,
    "examples": 300,
    "batch size": 64,
    "images a class": 10,
    "iterations": 5,
    "iterations of Newton-CG": 2,
    "rounds timed": 2,
    "steps timed": 2,
    "epochs of SGD": 2,
}


def measured(study, group, **change):
    protocol = study.protocol(group)
    small = {name: value for name, value in SMALL.items() if name in protocol}
    return study.measure({**protocol, **small, **change}, 0, None)


@pytest.fixture
def on_noise(monkeypatch):
    monkeypatch.setattr("softmax_trick.training.data.load", lambda name, folder: noise())


@pytest.mark.usefixtures("on_noise")
@pytest.mark.parametrize(
    ("study", "groups", "change"),
    [
        (label_only.STUDY, ("linear, SGD", "n0, BatchNorm, Adam", "linear, BatchNorm, SGD"), {}),
        (label_only.TIMES, ("linear", "n0, BatchNorm"), {}),
        (information.STUDY, ("imbalance 10",), {}),
        (localisation.STUDY, localisation.STUDY.groups, {}),
        (long_tail.STUDY, ("mnist, 10 : 1",), {"imbalance": 3.0}),
        pytest.param(admm.STUDY, admm.STUDY.groups, {}, marks=pytest.mark.slow),
        (incremental.STUDY, ("mnist, memory 500",), {"memory": 20}),
        pytest.param(features.STUDY, ("eps = 0.05",), {}, marks=pytest.mark.slow),
        (theory.STUDY, ("linear, SGD, 0.1", "n0, Adam, 0.001"), {}),
    ],
    ids=lambda one: one.name if isinstance(one, Study) else None,
)
def test_a_study_measures_what_its_statements_are_about(study, groups, change):
    """And nothing of it is infinite, so that it can be written."""
    trials = []
    for group in groups:
        found = measured(study, group, **change)
        trials.append(Trial(study.name, group, 0, study.protocol(group), found.values, found.curves, found.pictures))
        if study.curve:
            assert any(study.curve.quantity in of for of in found.curves.values())
    assert write_trials(trials)
    shown = {quantity for trial in trials for of in trial.values.values() for quantity in of}
    # To a gap of 1e-4 no method comes in a few steps.
    assert {one for one in study.quantities if " to 1e" not in one} <= shown
    arms = {arm for trial in trials for arm in trial.values}
    for statement in study.statements:
        assert {statement.arm, statement.reference or statement.arm} <= arms, statement.title
        assert set(statement.groups or ()) <= set(study.groups), statement.title


@pytest.mark.usefixtures("on_noise")
@pytest.mark.parametrize(
    ("study", "change", "message"),
    [
        (incremental.STUDY, {"memory": 2_000}, "a memory of 2,000 for 2 classes keeps 1,000 examples of each"),
        (incremental.STUDY, {"images a class": 500}, r"class 0 has \d+ images, and 500 are asked for"),
        (long_tail.STUDY, {"imbalance": 1_000.0}, "leaves class .* without an example"),
        (admm.STUDY, {"rho'": -1.0}, "rho is -1: it must be positive"),
        (admm.STUDY, {"training images": 70_000}, "and 70,000 are asked for"),
        (label_only.STUDY, {"training images": 70_000}, "and 70,000 are asked for"),
        (theory.STUDY, {"test images": 70_000}, "and 70,000 are asked for"),
        (admm.STUDY, {"alpha": 0.0}, "the design matrix is singular"),
    ],
)
def test_data_that_do_not_suffice_are_named(study, change, message):
    with pytest.raises(TrainingError, match=message):
        measured(study, study.groups[0], **change)


TABLES = {
    "| accuracy at the end, % |": (incremental.STUDY, "accuracy at the end"),
    "| | cross-entropy | less log π": (long_tail.STUDY, "balanced accuracy"),
    "| | cross-entropy | label-only | closed form |": (label_only.STUDY, "accuracy"),
}


@pytest.mark.parametrize("head", TABLES)
def test_tables_of_the_docs_have_the_means_of_the_results_files(head):
    """Cell by cell, to the digits that are printed. Planted: 87.9 in the place of a mean of 87.846."""
    study, quantity = TABLES[head]
    root = Path(__file__).parents[1]
    _, *rows = (root / "docs/experiments.md").read_text().partition(head)[2].partition("\n\n")[0].splitlines()[1:]
    groups = by_group(load_trials(root / "results/studies" / f"{study.name}.json"))
    assert len(rows) == len(groups)
    for row, trials in zip(rows, groups.values(), strict=True):
        samples = Arms(trials, quantity).samples.values()
        means = [statistics.fmean(of.values()) for of in samples]
        cells = [cell.split("±")[0].strip() for cell in row.strip("| ").split("|")[1:] if cell.strip()]
        assert cells == [f"{mean:.{len(cell.partition('.')[2])}f}" for mean, cell in zip(means, cells, strict=True)]
