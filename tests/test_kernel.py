"""Coq's kernel and the ties of its theorems to claims.

What needs Coq is skipped without it. The ties, the comparison and the reading of what Coq prints are tested without it
too, on what Coq 8.16.1 printed once. Each way in which a theorem can go wrong is planted.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from softmax_trick.cli import main
from softmax_trick.language.expression import LanguageError
from softmax_trick.language.grammar import read_equation
from softmax_trick.ledger import kernel
from softmax_trick.ledger.claims import RUNGS, Evidence, Judgement, Step, Verdict, judge
from softmax_trick.ledger.formulas import Formula
from softmax_trick.ledger.kernel import MODULES, Kernel, KernelError, Printed, Sources, Tie, Ties
from softmax_trick.ledger.run import Ledger
from softmax_trick.proofs import CLAIMS, PAPER, in_coq
from softmax_trick.readings.coq import proposition
from softmax_trick.report import renewal, rungs
from softmax_trick.report.ledger_page import ledger_page
from softmax_trick.statements.statement import decide_statement

SOURCES = in_coq()
TIES = SOURCES.ties
COQC = shutil.which("coqc") or ""


def needs_coq(test: Callable[..., None]) -> Callable[..., None]:
    """Coq compiles everything, which takes seconds each time."""
    return pytest.mark.slow(pytest.mark.skipif(not COQC, reason="coqc is not at hand")(test))


ROOT = Path(__file__).parents[1]


def as_recorded(ties: Ties = TIES) -> Printed:
    """What Coq prints if all is as the ties have it."""
    definitions = {name: " ".join(text.split()) for name, text in ties.definitions.items()}
    statements = {tie.name: " ".join(tie.statement.split()) for tie in ties.theorems}
    formulas = {
        name: " ".join(kernel.as_coq(name, one).split()) for tie in ties.theorems for name, one in tie.formulas.items()
    }
    return Printed("8.16.1", definitions, statements, tuple(ties.axioms), {}, formulas, True, 10.0)


# --- the ties ---------------------------------------------------------------------------------------------------------


def test_each_tie_is_to_a_claim_with_that_verdict():
    recorded = PAPER.recorded
    for tie in TIES.theorems:
        assert [recorded[name] for name in tie.proves] == ["proved"] * len(tie.proves), tie.name
        assert [recorded[name] for name in tie.refutes] == ["refuted"] * len(tie.refutes), tie.name
    assert not {name for tie in TIES.theorems for name in tie.proves} & {
        n for tie in TIES.theorems for n in tie.refutes
    }


def test_each_formula_is_of_a_claim_that_its_theorem_proves_and_is_true():
    """By the language's own decision; the kernel's is below."""
    formulas = {name: one for tie in TIES.theorems for name, one in tie.formulas.items() if name in tie.proves}
    assert {"T1.1r", "T1.4a", "T1.4c", "A1.1-2", "X.trick.dilated-any-sum", "T1.matrix.form"} <= set(formulas)
    assert sum(len(tie.formulas) for tie in TIES.theorems) == len(formulas)
    for name, formula in formulas.items():
        assert formula is CLAIMS[name].stated[0]
        assert decide_statement(formula.statement).verdict == "proved"


def test_each_step_that_is_said_to_be_covered_is_cited_by_its_claim(ledger: Ledger) -> None:
    for tie in TIES.theorems:
        for name, beginnings in tie.covers.items():
            cited = {step.text for item in ledger.result(name).evidence for step in item.steps if step.kind == "cited"}
            for beginning in beginnings:
                assert [text for text in cited if text.startswith(beginning)], (tie.name, name, beginning)


def test_what_the_issue_asks_for_is_tied():
    claims = TIES.claims()
    for name in ("A1", "A1c", "A1r", "A1r.positivity", "A1r.unity", "A1r.targets", "A1.1-2", "A1.2-1", "A1.2-1r"):
        assert name in claims
    for name in ("T1.1r", "T1.2r", "T1.4a", "T1.4c", "T1.4dr", "X.family.unique", "X.gradient.unequal-dilation"):
        assert name in claims
    names = {tie.name.split(".")[1] for tie in TIES.theorems}
    assert {
        "zero_map",
        "constant_map",
        "negative_slack",
        "slack_is_not_negative",
        "dichotomy",
        "jacobian_is_trick",
    } <= names


def test_the_theorems_stand_in_the_sources_and_the_project_file_names_them_all():
    project = files("softmax_trick.proofs").joinpath("coq", "_CoqProject").read_text(encoding="utf-8").split()
    assert project == ["-R", ".", kernel.LIBRARY, *(f"{name}.v" for name in MODULES)]
    for tie in TIES.theorems:
        module, _, name = tie.name.partition(".")
        assert re.search(rf"^Theorem {name} |^Lemma {name} ", SOURCES.modules[module], re.MULTILINE), tie.name


def test_the_theorems_have_the_names_and_the_order_of_the_proofs():
    """p2_implies_p1_repaired uses the classification, property_1_repaired the whole gradient: they stand behind."""
    for module in ("theorem_a1", "theorem_1"):
        functions = re.findall(r"^def (\w+)\(p: Proof\)", (ROOT / "proofs" / f"{module}.py").read_text(), re.MULTILINE)
        theorems = re.findall(r"^Theorem (\w+)", SOURCES.modules[module], re.MULTILINE)
        assert set(functions) <= set(theorems)
        late = ["p2_implies_p1_repaired", "property_1_repaired"]
        common = [name for name in theorems if name in functions and name not in late]
        assert common == [name for name in functions if name not in late]


FORBIDDEN = (
    r"\b(Admitted|admit|Axioms?|Parameters?|Hypothes[ie]s|Variables?|Conjecture|Notation|Coercion|Unset|bypass_check)\b"
)


def test_the_sources_have_no_hole():
    for name, text in SOURCES.modules.items():
        code = re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL)
        assert not re.findall(FORBIDDEN, code), name
    assert re.findall(FORBIDDEN, "Proof. Admitted.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axioms", "cannot be read"),
        ("[axioms]\n[definitions]\n", "theorem"),
        ('[axioms]\n[definitions]\n[[theorem]]\nname = "a.b"\nstatement = "True"\nprooves = ["T1.1r"]\n', "prooves"),
        ("[axioms]\n[definitions]\n" + '[[theorem]]\nname = "a.b"\nstatement = "True"\n' * 2, "a.b more than once"),
        *(
            (f'[axioms]\n[definitions]\n[[theorem]]\nname = "a.b"\nstatement = "True"\nformulas = ["{name}"]', name)
            for name in ("T1.9", "A1r", "A1.1-2.diagonal")  # no claim, none with a formula, none with one formula
        ),
    ],
)
def test_ties_that_cannot_be_used_are_refused(text, message):
    with pytest.raises(KernelError, match=message):
        Ties.read(text, CLAIMS)


# --- formulas as Coq --------------------------------------------------------------------------------------------------


def as_coq(equation: str, let: str = "") -> str:
    return proposition(read_equation(equation, let=let))


def test_a_formula_as_a_proposition_of_coq():
    assert as_coq("grad(ce(t, y), y) == -t/y", "t: K distribution; y: K positive").splitlines() == [
        "forall K : nat, (1 <= K)%nat ->",
        "forall t : vectors.vector,",
        "forall y : vectors.vector,",
        "softmax.simplex K t ->",
        "(forall n_1 : nat, (n_1 < K)%nat -> 0 < y n_1) ->",
        "forall i_1 : nat, (i_1 < K)%nat ->",
        "vectors.partial (fun y => (- (vectors.sum K (fun _1 => ((t _1) * (ln (y _1))))))) i_1 y "
        "((- (t i_1)) * (/ (y i_1)))",
    ]
    assert as_coq("sum(A @ x) == sum(A.T) / 2 + K**2", "A: N,K; x: K unit").splitlines()[2:5] == [
        "forall A : vectors.matrix,",
        "forall x : vectors.vector,",
        "(forall n_1 : nat, (n_1 < K)%nat -> 0 <= x n_1 <= 1) ->",
    ]


@pytest.mark.parametrize(
    ("equation", "let", "message"),
    [
        ("sum(x) <= 1", "x: K", "only equations"),
        ("sum(x) == 1", "x: K; K = 2", "only equations for every size"),
        ("max(x) == 1", "x: K", "a maximum"),
        ("x[c] == 1", "x: K; c: label K", "c is no scalar, vector or matrix"),
        ("x[1] == 1", "x: K", "given by its number"),
        ("relu(x) == x", "x: K", "a piecewise function"),
        ("gelu(x) == x", "x: K", "the normal distribution"),
        ("sqrt(x) == x", "x: K", "the power"),
        ("x == grad(dot(x, x), x)", "x: K", "only the whole left side"),
        ("hessian(dot(x, x), x) == 2*eye(K)", "x: K", "of derivatives only"),
        ("exp(x) == R", "x: K; R: K", "the name R"),
        ("sum(x) == 1", "x: N,M,K", "no scalar, vector or matrix"),
        ("grad(x[c], x)[c] == 1", "x: K; c: label K", "c is no scalar, vector or matrix"),
    ],
)
def test_what_cannot_be_said_in_coq_is_refused(equation, let, message):
    with pytest.raises(LanguageError, match=message):
        as_coq(equation, let)


# --- reading what Coq prints ------------------------------------------------------------------------------------------

# Printed by Coq 8.16.1.
ANSWER = """
@@ definition vectors.agree
vectors.agree =\x20
fun (K : nat) (x x' : vectors.vector) => forall k : nat, (k < K)%nat -> x k = x' k
     : nat -> vectors.vector -> vectors.vector -> Prop

Arguments vectors.agree K%nat_scope x x'
@@ definition vectors.sum
vectors.sum =\x20
fix sum (K : nat) (f : vectors.vector) {struct K} : R := match K with
                                                         | 0%nat => 0
                                                         | S n => sum n f + f n
                                                         end
     : nat -> vectors.vector -> R

Arguments vectors.sum K%nat_scope f
@@ statement theorem_a1.p2_is_differentiable
theorem_a1.p2_is_differentiable
     : forall (K : nat) (F : vectors.vector -> vectors.vector),
       vectors.local_map K F -> theorem_a1.P2 K F -> vectors.differentiable K F
@@ axioms all
Axioms:
planted.gap : forall n : nat, n = 0%nat
ClassicalDedekindReals.sig_not_dec : forall P : Prop, {~ ~ P} + {~ P}
ClassicalDedekindReals.sig_forall_dec
  : forall P : nat -> Prop, (forall n : nat, {P n} + {~ P n}) -> {n : nat | ~ P n} + {forall n : nat, P n}
planted.loop is assumed to be guarded.
"""
SUMMARY = """
CONTEXT SUMMARY
===============

* Theory: Set is predicative
\x20
* Axioms:
    Coq.Logic.Classical_Prop.classic
    SoftmaxTrick.planted.gap
\x20
* Constants/Inductives relying on type-in-type: <none>
\x20
* Constants/Inductives relying on unsafe (co)fixpoints: SoftmaxTrick.planted.loop
\x20
* Inductives whose positivity is assumed: <none>
\x20
"""


def test_reading_what_coq_prints():
    answers = kernel.read_answers(ANSWER)
    for name, text in answers["definition"].items():
        assert kernel._body(name, text) == " ".join(TIES.definitions[name].split())
    assert list(answers["statement"]) == ["theorem_a1.p2_is_differentiable"]
    assert list(kernel.read_axioms(answers["axioms"]["all"])) == [
        "planted.gap",
        "ClassicalDedekindReals.sig_not_dec",
        "ClassicalDedekindReals.sig_forall_dec",
        "planted.loop is assumed to be guarded.",
    ]
    assert list(kernel.read_axioms("Closed under the global context\n")) == []


def test_reading_what_coqchk_prints():
    assert kernel.assumed(SUMMARY) == [
        "SoftmaxTrick.planted.gap",
        "Constants/Inductives relying on unsafe (co)fixpoints: SoftmaxTrick.planted.loop",
    ]
    sound = SUMMARY.replace("    SoftmaxTrick.planted.gap\n", "").replace("SoftmaxTrick.planted.loop", "<none>")
    assert kernel.assumed(sound) == []
    assert kernel.assumed("") == ["what its summary does not say: ''"]


# --- the comparison ---------------------------------------------------------------------------------------------------

P2, C = "theorem_a1.P2", "theorem_a1.classification"


def judged(printed: Printed | None, claim: str = "A1c", ties: Ties = TIES, error: str = "") -> Judgement:
    other = Evidence("algebra", "general", "every K", "holds", 0.0, complete=True)
    return judge(Kernel(ties, printed, error).add_to(claim, (other,)))


def test_a_theorem_that_is_as_recorded_lifts_its_claim():
    judgement = judged(as_recorded())
    assert (judgement.verdict, judgement.rung) == (Verdict.PROVED, "kernel")
    [item] = Kernel(TIES, as_recorded()).evidence("A1.2-1")
    assert (item.outcome, item.engine, item.witness) == (
        "fails",
        "coqc 8.16.1",
        {"theorem": "theorem_a1.p2_implies_p1_counterexample"},
    )
    assert list(Kernel(TIES, as_recorded()).evidence("T1.bounded")) == []


def without(entries, name):
    return {key: value for key, value in entries.items() if key != name}


def planted():
    good = as_recorded()
    weaker = good.statements[C].replace("<->", "->")
    return {
        "renamed": (replace(good, statements=without(good.statements, C)), f"there is no theorem {C}"),
        "weakened": (replace(good, statements={**good.statements, C: weaker}), f"{C} now says: .*; recorded is:"),
        "definition": (replace(good, definitions={**good.definitions, P2: "True"}), f"{P2} now is: True; recorded is"),
        "definition gone": (replace(good, definitions=without(good.definitions, P2)), f"{P2} now is: not there"),
        "formula": (replace(good, formulas=without(good.formulas, "T1.4a")), "property_4a does not prove jacobian"),
        "axiom": (
            replace(good, beyond={C: ("vectors.gap",)}),
            f"{C} rests on vectors.gap, which is none of the axioms",
        ),
    }


@pytest.mark.parametrize("error", planted())
def test_planted_what_is_not_as_recorded_leaves_the_claim_undecided(error):
    printed, message = planted()[error]
    judgement = judged(printed, "T1.4a" if error == "formula" else "A1c")
    assert judgement.verdict is Verdict.UNDECIDED
    assert re.search(message, judgement.reason)
    if error == "formula":
        return
    cited = Evidence("a", "general", "", "holds", 0.0, steps=(Step("put a_i = 0 for i not in I, ...", "cited"),))
    assert Kernel(TIES, printed).add_to("A1c", (cited,))[0].steps[0].kind == "cited"
    assert Kernel(TIES, as_recorded()).add_to("A1c", (cited,))[0].steps[0].kind == "kernel"


def test_planted_a_definition_that_is_not_recorded():
    ties = replace(TIES, definitions=without(TIES.definitions, "theorem_a1.softmax_type"))
    assert (
        "speaks of theorem_a1.softmax_type, which ties.toml does not record"
        in judged(as_recorded(ties), ties=ties).reason
    )


def test_a_weakened_definition_leaves_alone_what_does_not_mention_it():
    printed, _ = planted()["definition"]
    assert judged(printed, "T1.4a").rung == "kernel"
    assert judged(printed, "A1.2-3").verdict is Verdict.UNDECIDED


def test_engines_that_disagree_leave_the_claim_undecided():
    """A tie with the wrong sign."""
    ties = replace(TIES, theorems=tuple(replace(tie, proves=(), refutes=tie.proves) for tie in TIES.theorems))
    judgement = judged(as_recorded(ties), ties=ties)
    assert judgement.verdict is Verdict.UNDECIDED
    assert "the engines disagree" in judgement.reason


# --- running Coq: a stand-in ------------------------------------------------------------------------------------------


def answer(printed: Printed) -> str:
    """The answer to the query that says so."""
    parts = [f"@@ definition {name}\n{name} =\n{text}" for name, text in printed.definitions.items()]
    parts += [f"@@ statement {name}\n{name}\n     : {text}" for name, text in printed.statements.items()]
    return "\n".join([*parts, "@@ axioms all", "Axioms:", *(f"{axiom} : True" for axiom in printed.axioms), ""])


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A coqc that prints what it is told; `then` is Python that it runs first, for each file."""
    monkeypatch.setattr(kernel, "default_folder", lambda: tmp_path / "cache")  # the claims' own evidence stays shared

    def make(
        printed: Printed | None = None, then: str = "", version: str = "The Coq Proof Assistant, version 8.16.1"
    ) -> str:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "answer").write_text(answer(printed or as_recorded()), encoding="utf-8")
        coqc = folder / "coqc"
        coqc.write_text(
            f"#!{sys.executable}\nimport os, sys, time\nfile = sys.argv[-1]\n"
            f"if file == '--version': sys.exit(print({version!r}))\n"
            f"open({str(tmp_path / 'calls')!r}, 'a').write(file + '\\n')\n{then}\n"
            f"if file == 'query.v': print(open({str(folder / 'answer')!r}).read())\n",
            encoding="utf-8",
        )
        coqc.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return str(coqc)

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().split() if (tmp_path / "calls").exists() else []


@pytest.mark.parametrize(
    ("then", "version", "message"),
    [
        ("if file == 'theorem_1.v': sys.exit('File \"./theorem_1.v\", line 7, characters 0-4:\\nError: gap')", "8.16",
         "theorem_1.v, line 7: Error: gap"),
        ("os.kill(os.getpid(), 11)", "8.16", "vectors.v: coqc was ended by signal 11"),
        ("time.sleep(9)", "8.16", "vectors.v: coqc did not end within 0.5 seconds"),
        ("if file == 'query.v': sys.exit('Error: Unknown command.')", "8.16", "query.v: Error: Unknown command."),
        ("", None, "says no version"),
    ],
)  # fmt: skip
def test_planted_a_coq_that_fails_leaves_every_tied_claim_undecided(stand_in, monkeypatch, then, version, message):
    monkeypatch.setattr(kernel, "SECONDS", 0.5 if "sleep" in then else 60.0)
    coqc = stand_in(then=then, version=f"version {version}" if version else "hello")
    found = kernel.run(coqc, SOURCES)
    assert message in found.error
    assert {item.outcome for claim in TIES.claims() for item in found.evidence(claim)} == {"crashed"}
    assert judge(tuple(found.evidence("A1c"))).reason.startswith("crashed: coqc: ")


def test_a_theorem_that_is_not_there_does_not_hide_the_others(stand_in):
    """Coq stops at the first name that it does not know."""
    then = f"if file == 'query.v' and '{C}.' in open(file).read(): sys.exit('Error: The reference {C} was not found')"
    printed, _ = planted()["renamed"]
    found = kernel.run(stand_in(printed, then), SOURCES)
    assert found.trouble[C] == [f"there is no theorem {C}"]
    assert sum(map(bool, found.trouble.values())) == 1


def test_what_coq_printed_is_kept_until_something_changes(stand_in, tmp_path):
    coqc = stand_in()
    first = kernel.run(coqc, SOURCES)
    assert calls(tmp_path) == [f"{name}.v" for name in MODULES] + ["query.v", "formulas.v"]
    for sources, fresh, again in (
        (SOURCES, False, False),
        (SOURCES, True, True),
        (replace(SOURCES, modules={**SOURCES.modules, "softmax": SOURCES.modules["softmax"] + "\n"}), False, True),
    ):
        (tmp_path / "calls").unlink(missing_ok=True)
        found = kernel.run(coqc, sources, fresh=fresh)
        assert bool(calls(tmp_path)) == again
        assert (found.error, found.trouble) == ("", first.trouble)
    newer = stand_in(version="The Rocq Prover, version 9.0.0")
    assert [item.engine for item in kernel.run(newer, SOURCES).evidence("A1c")] == ["coqc 9.0.0"]
    kept = tmp_path / "cache" / "kernel.json"
    for edited in ('{"digest": 1}', json.dumps(json.loads(kept.read_text()) | {"axioms": ["other"]}), "[" * 100_000):
        kept.write_text(edited)
        (tmp_path / "calls").unlink(missing_ok=True)
        assert kernel.run(newer, SOURCES).printed is not None
        assert calls(tmp_path), "what was not signed is asked again"


def test_nothing_is_written_into_the_sources(stand_in):
    folder = Path(str(files("softmax_trick.proofs").joinpath("coq")))
    before = sorted(folder.rglob("*"))
    kernel.run(stand_in(), SOURCES)
    assert sorted(folder.rglob("*")) == before == sorted(
        folder / name for name in ("_CoqProject", "ties.toml", *(f"{module}.v" for module in MODULES))
    )  # fmt: skip


# --- the command ------------------------------------------------------------------------------------------------------

SCHEMA = json.loads(files("softmax_trick.ledger").joinpath("ledger.schema.json").read_text())


def test_without_coq_the_command_says_what_to_install_and_nothing_else_changes(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    main(["verify", "T1.1", "T1.1r"])  # from here on both runs have kept evidence
    capsys.readouterr()
    assert main(["verify", "T1.1", "T1.1r"]) == 0
    plain = capsys.readouterr()
    assert main(["verify", "--kernel", "T1.1", "T1.1r"]) == 0
    out, err = capsys.readouterr()
    assert plain.out == out
    said, *rest = err.splitlines()
    assert plain.err.splitlines() == rest
    assert "apt-get install coq" in said


def test_with_coq_the_command_lifts_claims_and_marks_steps(stand_in, capsys, tmp_path):
    stand_in()
    page = tmp_path / "page.html"
    assert main(["verify", "--kernel", "A1.2-1r", "A1c", "A1.2-1", "EA2", "--json", "-", "--html", str(page)]) == 0
    out, err = capsys.readouterr()
    ledger = json.loads(out)
    jsonschema.validate(ledger, SCHEMA)
    assert [claim["rung"] for claim in ledger["claims"]] == ["kernel", "kernel", "kernel", "general"]
    assert "3 of them checked by the kernel of Coq too (coqc 8.16.1)" in err
    steps = [step for claim in ledger["claims"] for item in claim["evidence"] for step in item["steps"]]
    assert not [step for step in steps if step["kind"] == "cited"]
    assert {"vectors.zero_gradient_is_constant", "theorem_a1.dichotomy"} <= {
        name for step in steps if step["kind"] == "kernel" for name in step["detail"]
    }
    assert '<span class="mark" title="checked by the kernel' in page.read_text()
    assert ledger["claims"][2]["witness"]["sum"] == "2/3"  # the algebra's counterexample, which one can look at
    main(["verify", "--kernel", "A1c"])
    shown = capsys.readouterr().out
    assert "◆ zero gradient on R^K: w = C" in shown
    assert "verdict     proved (kernel)" in shown


def test_a_theorem_that_is_not_as_recorded_is_an_error_of_the_command(stand_in, capsys):
    printed, _ = planted()["weakened"]
    stand_in(printed)
    assert main(["verify", "--kernel", "A1c", "T1.4a"]) == 1
    err = capsys.readouterr().err
    assert "A1c is undecided: crashed: coqc 8.16.1: theorem_a1.classification now says" in err
    assert main(["verify", "A1c"]) == 0  # the other evidence is as it was


def test_list_and_kernel_exclude_each_other(capsys):
    assert main(["verify", "--kernel", "--list"]) == 2
    assert "give one of the two" in capsys.readouterr().err


# --- the rungs, in the README and on the page -------------------------------------------------------------------------


def test_the_table_of_rungs_in_the_readme(ledger: Ledger) -> None:
    """`make record`, where Coq is, renews it."""
    results = [ledger.result(name) for name in CLAIMS]
    asked = Kernel(TIES, as_recorded())
    lifted = [
        replace(one, judgement=judge(asked.add_to(one.claim.id, one.evidence), one.conditional_on)) for one in results
    ]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert rungs.placed(readme, rungs.markdown(results, lifted)) == readme
    page = ledger_page(lifted)
    for rung in RUNGS:
        assert f"<dt>{rung}</dt>" in page
        assert rungs.in_words(rungs.counts(lifted)[rung]) in page


def test_the_record_is_renewed_in_a_checkout_only(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="at the top of a checkout"):
        renewal.main()


def test_the_table_needs_its_place():
    with pytest.raises(ValueError, match="between the lines"):
        rungs.placed("a README without it", "a table")


# --- running Coq ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checked() -> Kernel:
    """The package's own theorems, checked now by Coq and by coqchk."""
    return Kernel(TIES, kernel.ask(COQC, SOURCES))


@needs_coq
def test_coq_has_every_theorem_as_recorded_and_no_axiom_beyond_those_allowed(checked):
    assert not {name: wrong for name, wrong in checked.trouble.items() if wrong}
    assert set(checked.printed.axioms) == set(TIES.axioms)
    assert checked.printed.rechecked == bool(shutil.which("coqchk"))


# One theorem as it should be, and one for each error; each is tied to a claim of its own.
SMALL = """Require Import Reals.
Open Scope R_scope.
Definition twice (x : R) := x + x.
Definition thrice (x : R) := 2 * x.
Theorem good : forall x : R, twice x = 2 * x.
Proof. intros. unfold twice. ring. Qed.
Theorem other_formula : forall x : R, twice x = 2 * x.
Proof. exact good. Qed.
Theorem weakened : forall x : R, x = 0 -> twice x = 2 * x.
Proof. intros. apply good. Qed.
Theorem another_name : forall x : R, twice x = 2 * x.
Proof. exact good. Qed.
Theorem other_definition : forall x : R, thrice x = x + x.
Proof. intros. symmetry. apply good. Qed.
Theorem open : forall x : R, twice x = 2 * x.
Proof. intros. Admitted.
Axiom gap : 0 = 1.
Theorem assumed : forall x : R, twice x = 2 * x.
Proof. intros. rewrite <- (Rmult_1_r x), <- gap. unfold twice. ring. Qed.
"""
SAYS = "forall x : R, vectors.twice x = 2 * x"
SMALL_TIES = Ties(
    dict.fromkeys(TIES.axioms, "as above"),
    {"vectors.twice": "fun x : R => x + x : R -> R", "vectors.thrice": "fun x : R => x + x + x : R -> R"},
    (
        Tie("vectors.good", SAYS, ("T1.1r",), formulas={"T1.1r": Formula("x + x == 2*x", "x: scalar")}),
        Tie("vectors.other_formula", SAYS, ("EA2",), formulas={"EA2": Formula("x + x == 3*x", "x: scalar")}),
        Tie("vectors.weakened", SAYS, ("T1.2r",)),
        Tie("vectors.renamed", SAYS, ("T1.3r",)),
        Tie("vectors.other_definition", "forall x : R, vectors.thrice x = x + x", ("T1.4a",)),
        Tie("vectors.open", SAYS, ("T1.4b",)),
        Tie("vectors.assumed", SAYS, ("T1.4c",)),
    ),
)


def small(*removed: str) -> Sources:
    """The small development, without the lines that match one of these patterns."""
    lines = [line for line in SMALL.splitlines() if not any(re.search(pattern, line) for pattern in removed)]
    return Sources({"vectors": "\n".join(lines)}, SMALL_TIES)


@needs_coq
def test_planted_errors_are_found_each_in_its_theorem_and_the_others_stand(tmp_path, monkeypatch):
    """By what Coq prints; coqchk, which would stop at the first hole, is left out."""
    monkeypatch.setattr(kernel, "_recheck", lambda *_: False)
    found = kernel.run(COQC, small(), tmp_path)
    assert found.trouble == {
        "vectors.good": [],
        "vectors.other_formula": ["vectors.other_formula does not prove x + x == 3*x, which is the formula of EA2"],
        "vectors.weakened": [
            f"vectors.weakened now says: forall x : R, x = 0 -> vectors.twice x = 2 * x; recorded is: {SAYS}"
        ],
        "vectors.renamed": ["there is no theorem vectors.renamed"],
        "vectors.other_definition": [
            "vectors.thrice now is: fun x : R => 2 * x : R -> R; recorded is: fun x : R => x + x + x : R -> R"
        ],
        "vectors.open": ["vectors.open rests on vectors.open, which is none of the axioms allowed"],
        "vectors.assumed": ["vectors.assumed rests on vectors.gap, which is none of the axioms allowed"],
    }
    outcomes = {claim: [item.outcome for item in found.evidence(claim)] for claim in SMALL_TIES.claims()}
    assert outcomes.pop("T1.1r") == ["holds"]
    assert set(map(tuple, outcomes.values())) == {("crashed",)}


@needs_coq
@pytest.mark.skipif(not shutil.which("coqchk"), reason="coqchk is not at hand")
def test_coqchk_finds_what_is_admitted(tmp_path):
    found = kernel.run(COQC, small("gap", "Theorem assumed"), tmp_path)
    assert found.error == "coqchk: the compiled files assume SoftmaxTrick.vectors.open"


@needs_coq
def test_a_proof_that_fails_is_named(tmp_path):
    failing = SMALL.replace("intros. unfold twice. ring.", "reflexivity.", 1)
    found = kernel.run(COQC, Sources({"vectors": failing}, SMALL_TIES), tmp_path)
    assert found.error.startswith("vectors.v, line 6: Error:")
