"""The ledgers beside the paper's: that they can be read, what they say, and how they are asked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import reduce
from importlib import import_module

import pytest

from softmax_trick import proofs
from softmax_trick.cli import main
from softmax_trick.ledger.claims import Verdict
from softmax_trick.ledger.evaluation import by_canonical_form
from softmax_trick.ledger.mutants import failures, made_from, run
from softmax_trick.ledger.paper import LedgerError, Paper
from softmax_trick.ledger.run import Ledger
from softmax_trick.ledger.works import MODULES
from softmax_trick.proofs import CLAIMS
from softmax_trick.proofs.works import theorems
from softmax_trick.proofs.works.together import EVERY, WORKS

# What is false, by work, and what it is repaired by; all else is proved.
FALSE = {
    "label-only": {
        "LO.unbounded": "LO.bounded",
        "LO.comparable": "LO.nearest-mean",
        "LO.skipped": "LO.skipped.r",
        "LO.no-fixed-point": "LO.no-fixed-point.r",
    },
    "infocam": {
        "IC.unbalanced": "IC.pointwise",
        "IC.log-k": "IC.bound",
        "IC.map-difference": "IC.map-difference.r",
        "IC.cam": "IC.cam.r",
    },
    "balanced-softmax": {
        "BS.unbiased": "BS.unbiased.r",
        "BS.bound": "BS.bound.r",
        "BS.sampling": "BS.sampling.r",
    },
    "admm-softmax": {"AD.w.factorisation": "AD.w.factorisation.r"},
    "incremental": {"IN.cross-entropy": "IN.no-examples"},
    "universal-features": {"UF.everywhere": "UF.truncated-svd"},
    "theorems": {"TH.flow.never": "TH.flow.copositive", "TH.flow.pairs": "TH.flow.copositive"},
}
# Of each work, a false claim that is decided at once, or one that is true.
QUICK = [
    "LO.unbounded",
    "LO.comparable",
    "IC.map-difference",
    "BS.bound",
    "AD.dual",
    "IN.masked",
    "UF.everywhere",
    "TH.flow.never",
    "TH.flow.pairs",
    "TH.flow.smallest",
]


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SOFTMAX_TRICK_CACHE", str(tmp_path / "cache"))


def expected(name: str) -> str:
    false = {claim for work in FALSE.values() for claim in work}
    return "refuted" if name in false else "proved"


@pytest.mark.parametrize("name", WORKS)
def test_a_work_can_be_read_and_its_record_is_complete(name):
    work = WORKS[name]
    assert Paper.of(work.title, work.source, work.claims.values()).claims == work.claims
    assert dict(work.recorded) == {claim: expected(claim) for claim in work.claims}
    assert {claim.id: claim.repaired_by for claim in work.claims.values() if claim.repaired_by} == FALSE[name]
    assert all(claim.source and claim.title for claim in work.claims.values())


def test_a_formula_that_cannot_be_read_is_said():
    """Planted: a bracket lost in a formula of a work, which is not read when it is imported."""
    work = WORKS["incremental"]
    claim = work.claims["IN.masked"]
    with pytest.raises(LedgerError, match=r"IN\.masked"):
        Paper.of(work.title, work.source, [replace(claim, formulas=("y == s*exp(x/v",))])


def test_no_two_claims_have_one_id():
    assert len(EVERY) == len(CLAIMS) + sum(len(work.claims) for work in WORKS.values())


@pytest.mark.parametrize("name", QUICK)
def test_verdict(name):
    assert Ledger(EVERY).result(name).verdict == expected(name)


@pytest.mark.slow  # two minutes
def test_every_verdict():
    ledger = Ledger(EVERY)
    names = [claim for work in WORKS.values() for claim in work.claims]
    with ledger.gathering(names):
        results = {name: ledger.result(name) for name in names}
    assert {name: result.verdict for name, result in results.items()} == {name: expected(name) for name in names}
    assert all(result.witness for result in results.values() if result.verdict is Verdict.REFUTED)
    assert not [name for name, result in results.items() if any(item.unstated for item in result.evidence)]


def planted(formula: str) -> str:
    """Another factor, side or sign: false where the formula is true."""
    if formula.startswith("psd("):
        return f"psd(-{formula.removeprefix('psd')})"
    [(left, sign, right)] = re.findall(r"^(.*) (==|<=|>=|<|>) (.*)$", formula)
    if sign != "==":
        return f"{right} {sign} {left}" + (" - 1" if "<" in sign else " + 1")
    return f"{left} + 1 == {right}" if re.fullmatch(r"0(\*.*)?", right) else f"{left} == 2*({right})"


@pytest.mark.parametrize("name", WORKS)
def test_an_error_planted_in_any_formula_is_found(name):
    """In each formula of each claim that is true, with a place where it fails."""
    for claim in WORKS[name].claims.values():
        for formula in claim.formulas if expected(claim.id) == "proved" else ():
            found = by_canonical_form(replace(claim, formulas=(planted(formula),), proof=None, statement=""))
            assert found is not None
            assert (found.outcome, bool(found.witness)) == ("fails", True), f"{claim.id}: {planted(formula)}"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("BS.meta.rates", "r*(1 - r)", "r*r"),
        ("LO.limit", "b*sum", "a*sum"),
        ("IC.bound", "kl(T, q)", "kl(q, T)"),
        ("IC.map-difference.r", "- (b[i] - b[j])", "+ (b[i] - b[j])"),
        ("AD.z.newton", "+ y/E", "- y/E"),
        ("AD.dual", "(t - softmax(z))", "(softmax(z) - t)"),
        ("IN.small-counts", "(1 - y[c])", "y[c]"),
        ("TH.choice", "(r[i] - r[j])", "(r[i] + r[j])"),
        ("TH.flow.signal", "W.T @ (d*e)", "W.T @ e"),
        ("TH.entmax.trick", "(s/S - ", "(y - "),
    ],
)
def test_a_likely_slip_is_found(name, old, new):
    claim = EVERY[name]
    formulas = tuple(text.replace(old, new) for text in claim.formulas)
    assert formulas != claim.formulas
    assert by_canonical_form(replace(claim, formulas=formulas, proof=None, statement="")).outcome == "fails"


@pytest.mark.parametrize(
    ("place", "change", "names"),
    [
        ("label_only.POINTS", lambda points: tuple((s, not of_two) for s, of_two in points), ["LO.comparable"]),
        ("balanced_softmax.enclose", lambda real: lambda *of: -real(*of), ["BS.bound.example"]),
        (
            "universal_features.mutual_information",
            lambda real: lambda joint: real(joint) / 2,
            ["UF.everywhere", "UF.weak-dependence"],
        ),
        (
            "proper_losses.piecewise.of_one_score",
            lambda real: lambda name: (-real(name)[0], real(name)[1]),
            ["TH.proper.hard", "TH.calibrated.order"],
        ),
        (
            "dilated_flow._rise",  # dilations that are equal, with which cross-entropy cannot rise
            lambda real: lambda w, d, e: real(w, [1] * len(d), e),
            list(FALSE["theorems"]),
        ),
    ],
)
def test_an_error_planted_in_what_is_computed_is_found(monkeypatch, place, change, names):
    """What decides claims without formulas: with another value in it they are not decided as they were."""
    *module, name = place.split(".")
    home = reduce(getattr, module[1:], import_module(f"softmax_trick.proofs.works.{module[0]}"))
    monkeypatch.setattr(home, name, change(getattr(home, name)))
    for name in names:
        assert Ledger(EVERY).result(name).verdict != expected(name)


@pytest.mark.slow  # two minutes
@pytest.mark.parametrize("name", WORKS)
def test_mutants_are_killed(name):
    assert failures(run(made_from(WORKS[name].claims.values()))) == []


# --- on the command line ----------------------------------------------------------------------------------------------


def test_list_shows_them_under_their_works(capsys, cache):
    assert main(["verify", "--list"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    listed = [(line[0], line[4]) for line in lines if len(line) == 5]
    assert listed == [(name, work.title) for work in WORKS.values() for name in work.claims]


def test_verify_ends_with_a_line_a_work(capsys, cache, monkeypatch):
    monkeypatch.setattr(proofs, "PAPER", replace(proofs.PAPER, claims={"T1.1": CLAIMS["T1.1"]}))
    main(["verify"])
    err = capsys.readouterr().err
    assert "Balanced Meta-Softmax for Long-Tailed Visual Recognition: 9 proved, 3 refuted recorded" in err
    assert all(err.count(f"(--ledger {name})") == 1 for name in WORKS)


def test_a_pattern_means_the_papers_claims_first(capsys, cache):
    """B.* are listings of Appendix B, BS.* the claims of a work."""
    main(["verify", "--list", "B*"])
    assert "BS." not in capsys.readouterr().out
    main(["verify", "--list", "bs.*"])
    assert capsys.readouterr().out.count("BS.") == len(WORKS["balanced-softmax"].claims)


def test_a_work_is_asked_for_by_name_and_a_claim_by_its_id(capsys, cache, monkeypatch):
    monkeypatch.setattr("softmax_trick.ledger.run.Ledger.gather", lambda *_: ())
    main(["verify", "--ledger", "incremental", "--json", "-"])
    found = json.loads(capsys.readouterr().out)["claims"]
    assert [claim["id"] for claim in found] == list(WORKS["incremental"].claims)
    main(["verify", "IN.masked", "T1.4a", "--json", "-"])
    found = json.loads(capsys.readouterr().out)["claims"]
    assert [claim["id"] for claim in found] == ["IN.masked", "T1.4a"]


def test_an_unknown_name_lists_those_that_there_are(capsys):
    assert main(["verify", "--ledger", "balanced"]) == 2
    assert "balanced-softmax" in capsys.readouterr().err
    assert main(["verify", "--ledger", "./incremental"]) == 2  # a file of that name, which is not there


def test_another_verdict_than_the_recorded_one_is_said(capsys, cache, monkeypatch):
    recorded = {**theorems.PAPER.recorded, "TH.flow.pairs": "proved"}
    monkeypatch.setattr(theorems, "PAPER", replace(theorems.PAPER, recorded=recorded))
    assert main(["verify", "TH.flow.pairs"]) == 1
    assert "TH.flow.pairs is refuted, recorded as proved" in capsys.readouterr().err


def test_verdicts_are_recorded_in_the_ledger_of_their_claim(cache, monkeypatch, tmp_path):
    for name, work in WORKS.items():
        ours = replace(work, recorded={}, record=tmp_path / f"{name}.json")
        monkeypatch.setattr(f"{MODULES[name]}.PAPER", ours)
    assert main(["verify", "--record", "TH.flow.pairs", "LO.comparable"]) == 0
    assert json.loads((tmp_path / "theorems.json").read_text()) == {"TH.flow.pairs": "refuted"}
    assert json.loads((tmp_path / "label-only.json").read_text()) == {"LO.comparable": "refuted"}
    assert len(list(tmp_path.glob("*.json"))) == 2
