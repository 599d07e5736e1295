"""The kernel of Coq: it checks the proofs in proofs/coq, and what it then prints is held against proofs/coq/ties.toml.

The ties say which theorem decides which claim. A theorem counts if it is there, if Coq prints its statement, and every
definition that the statement mentions, as recorded, and if it rests on no axiom but those that the ties allow. Where a
claim is one formula, and a tie names it, that formula is printed as a proposition of Coq, and the theorem counts if it
proves that. The sources are copied to a temporary folder and compiled there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from softmax_trick.ledger.cache import default_folder
from softmax_trick.ledger.claims import Claim, Evidence, Step
from softmax_trick.ledger.formulas import Formula
from softmax_trick.system.files import parse_json, write_whole
from softmax_trick.system.signature import sign, verified

MODULES = ("vectors", "softmax", "theorem_a1", "theorem_a1_steps", "theorem_1", "relocations", "implicit_losses")
LIBRARY = "SoftmaxTrick"
TIES = "ties.toml"
SECONDS = 300.0  # for each call of coqc or coqchk; a file takes about one
HOW_TO_INSTALL = "install Coq 8.16 or newer (Debian and Ubuntu: apt-get install coq; macOS: brew install coq)"

_OURS = re.compile(rf"\b(?:{'|'.join(MODULES)})\.[A-Za-z_][\w']*")
_ASKED = re.compile(r"^@@ (\w+) (\S+)$", re.MULTILINE)
_MISSING = re.compile(r"The reference (\S+) was not found")


class KernelError(Exception):
    """The proofs were not checked: what went wrong, and where."""


# --- the ties ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tie:
    """A theorem, what it says, and the claims that it decides.

    Attributes:
        name: as Coq prints it, with its module.
        statement: as Coq prints it, white space aside.
        proves: the claims that it proves.
        refutes: the claims to which it is a counterexample.
        scope: for which K it holds.
        covers: steps that a claim's own proof only cites, by claim; each is given by its beginning.
        formulas: by claim, what it says, for those of the claims whose formula the theorem proves.
    """

    name: str
    statement: str
    proves: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()
    scope: str = "every K"
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    formulas: Mapping[str, Formula] = field(default_factory=dict)


@dataclass(frozen=True)
class Ties:
    """All of proofs/coq/ties.toml: the axioms that are allowed and why, the definitions as recorded, the theorems."""

    axioms: Mapping[str, str]
    definitions: Mapping[str, str]
    theorems: tuple[Tie, ...]

    @classmethod
    def read(cls, text: str, claims: Mapping[str, Claim]) -> Ties:
        """The ties of claims that a TOML text describes.

        Raises:
            KernelError: it is no such text, or names the formula of what is no claim of one formula.
        """
        try:
            content = tomllib.loads(text)
            theorems = tuple(Tie(**_tuples(entry, claims)) for entry in content.pop("theorem"))
            ties = cls(theorems=theorems, **content)
        except (tomllib.TOMLDecodeError, TypeError, KeyError, AttributeError) as error:
            raise KernelError(f"{TIES} cannot be read: {error}") from error
        names = [tie.name for tie in theorems]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise KernelError(f"{TIES} has {', '.join(double)} more than once")
        return ties

    def claims(self) -> dict[str, tuple[Tie, ...]]:
        """The theorems by the claims that they decide."""
        found: dict[str, tuple[Tie, ...]] = {}
        for tie in self.theorems:
            for claim in (*tie.proves, *tie.refutes):
                found[claim] = (*found.get(claim, ()), tie)
        return found


def _tuples(entry: Mapping[str, Any], claims: Mapping[str, Claim]) -> dict[str, Any]:
    lists = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    covers = {claim: tuple(steps) for claim, steps in entry.get("covers", {}).items()}
    formulas = {name: _said(name, claims.get(name)) for name in entry.get("formulas", ())}
    return {**lists, "covers": covers, "formulas": formulas}


def _said(name: str, claim: Claim | None) -> Formula:
    """What a claim says."""
    if claim is None or len(claim.stated) != 1:
        raise KernelError(f"{TIES}: {name} is no claim of one formula")
    return claim.stated[0]


def as_coq(claim: str, formula: Formula) -> str:
    """The proposition of Coq that a claim's formula is; conditions besides the domains are left out: it says more.

    Raises:
        KernelError: the language cannot read it, or cannot say it in Coq.
    """
    from softmax_trick.language.expression import LanguageError
    from softmax_trick.readings.coq import proposition

    try:
        return proposition(formula.statement)
    except LanguageError as error:
        raise KernelError(f"{TIES}: the formula of {claim}: {error}") from error


@dataclass(frozen=True)
class Sources:
    """The Coq files by module, and the ties."""

    modules: Mapping[str, str]
    ties: Ties

    @classmethod
    def read(cls, folder: Path, claims: Mapping[str, Claim]) -> Sources:
        """Those in a folder, tied to these claims."""
        modules = {name: (folder / f"{name}.v").read_text(encoding="utf-8") for name in MODULES}
        return cls(modules, Ties.read((folder / TIES).read_text(encoding="utf-8"), claims))


# --- what Coq prints --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Printed:
    """What Coq printed of a compiled development, white space aside.

    Attributes:
        version: of coqc.
        definitions: by name.
        statements: of the theorems, by name; those that are not there are left out.
        axioms: what all theorems together rest on: of each axiom, or of each other thing assumed, the name.
        beyond: of the theorems that rest on more than the ties allow, by name, what is too much.
        formulas: of the claims whose formula their theorem was found to prove, by ID, the formula as Coq.
        rechecked: whether coqchk, a second and smaller checker, has been over the compiled files.
        seconds: wall time of it all.
    """

    version: str
    definitions: Mapping[str, str]
    statements: Mapping[str, str]
    axioms: tuple[str, ...]
    beyond: Mapping[str, tuple[str, ...]]
    formulas: Mapping[str, str]
    rechecked: bool
    seconds: float


def ask(coqc: str, sources: Sources) -> Printed:
    """Compile the sources, let coqchk check the result if it is there, and ask Coq what it has understood.

    Raises:
        KernelError: something does not compile, ends in a crash or takes too long.
    """
    start = time.perf_counter()
    version = version_of(coqc)
    with tempfile.TemporaryDirectory(prefix="softmax-trick-kernel-") as name:
        folder = Path(name)
        for module, text in sources.modules.items():
            (folder / f"{module}.v").write_text(text, encoding="utf-8")
            _call(coqc, ["-q", "-R", ".", LIBRARY, f"{module}.v"], folder, f"{module}.v")
        rechecked = _recheck(coqc, sources, folder)
        answers = _answers(coqc, sources, folder)
        there = [tie for tie in sources.ties.theorems if tie.name in answers["statements"]]
        formulas = _proved_formulas(coqc, list(sources.modules), there, folder)
    seconds = time.perf_counter() - start
    return Printed(version, **answers, formulas=formulas, rechecked=rechecked, seconds=seconds)


def version_of(coqc: str) -> str:
    """The version of Coq.

    Raises:
        KernelError: it does not say one.
    """
    said = _call(coqc, ["--version"], Path.cwd(), "--version").stdout
    found = re.search(r"version (\S+)", said)
    if not found:
        raise KernelError(f"{coqc} --version says no version, but {_one_line(said)!r}")
    return found[1]


def query(modules: Sequence[str], ties: Ties, missing: Collection[str] = ()) -> str:
    """A Coq file that prints each definition and statement, and the axioms of all theorems together.

    The modules are required and not imported: notations and coercions of theirs, if there were any, would not change
    what is printed.
    """
    theorems = [tie.name for tie in ties.theorems if tie.name not in missing]
    lines = [_preamble(modules)]
    lines += [_asked("definition", name, f"Print {name}.") for name in ties.definitions if name not in missing]
    lines += [_asked("statement", name, f"Check {name}.") for name in theorems]
    # One question for all takes a second, one for each takes half a minute.
    lines += [f"Definition all := ({', '.join(['I', *theorems])}).", _asked("axioms", "all", "Print Assumptions all.")]
    return "\n".join(lines) + "\n"


def _query_of_axioms(modules: Sequence[str], theorems: Iterable[str]) -> str:
    return "\n".join(
        [_preamble(modules), *(_asked("axioms", one, f"Print Assumptions {one}.") for one in theorems), ""]
    )


def _preamble(modules: Sequence[str]) -> str:
    required = f"From {LIBRARY} Require {' '.join(modules)}."
    return "\n".join(["Require Import Reals.", required, "Open Scope R_scope.", "Set Printing Width 110."])


def _asked(what: str, name: str, command: str) -> str:
    return f'Goal True. idtac "@@ {what} {name}". Abort.\n{command}'


def _answers(coqc: str, sources: Sources, folder: Path) -> dict[str, Any]:
    """What Coq answers; what is not there is left out."""
    modules, ties = list(sources.modules), sources.ties
    missing: list[str] = []
    while True:
        try:
            answers = read_answers(_put(query(modules, ties, missing), coqc, folder))
            break
        except KernelError as error:
            found = _MISSING.search(str(error))
            if not found or found[1] in missing:
                raise
            missing.append(found[1])
    axioms = tuple(read_axioms(answers["axioms"]["all"]))
    beyond = {}
    if not set(axioms) <= set(ties.axioms):
        each = read_answers(_put(_query_of_axioms(modules, answers["statement"]), coqc, folder))["axioms"]
        beyond = {name: tuple(one for one in read_axioms(each[name]) if one not in ties.axioms) for name in each}
    definitions = {name: _body(name, text) for name, text in answers["definition"].items()}
    statements = {name: _one_line(text).removeprefix(f"{name} : ") for name, text in answers["statement"].items()}
    return {"definitions": definitions, "statements": statements, "axioms": axioms, "beyond": beyond}


def _put(question: str, coqc: str, folder: Path) -> str:
    (folder / "query.v").write_text(question, encoding="utf-8")
    return _call(coqc, ["-q", "-R", ".", LIBRARY, "query.v"], folder, "query.v").stdout


def read_answers(text: str) -> dict[str, dict[str, str]]:
    """What Coq answers to each question, by kind (definition, statement, axioms) and name."""
    answers: dict[str, dict[str, str]] = {"definition": {}, "statement": {}, "axioms": {}}
    _, *pieces = _ASKED.split(text)
    for kind, name, answer in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        answers[kind][name] = answer
    return answers


def _body(name: str, definition: str) -> str:
    """What is printed of a definition, without its name and without how its arguments are passed."""
    return _one_line(re.split(r"\n\s*\nArguments ", definition)[0]).removeprefix(f"{name} = ")


def read_axioms(answer: str) -> Iterator[str]:
    """The names of what is assumed; a line that is not understood stands for itself, and is no allowed name."""
    for line in answer.strip().splitlines():
        if line not in ("Closed under the global context", "Axioms:") and not line.startswith(" "):
            found = re.fullmatch(r"(\S+)(?: :.*)?", line)
            yield found[1] if found else line


def _proved_formulas(coqc: str, modules: Sequence[str], ties: Sequence[Tie], folder: Path) -> dict[str, str]:
    """The formulas of claims that follow from their theorems at once, as Coq."""
    formulas = {claim: (as_coq(claim, one), tie.name) for tie in ties for claim, one in tie.formulas.items()}

    def prove(chosen: Iterable[str]) -> None:
        lines = ["Require Import Lia.", _preamble(modules)]
        for goal, theorem in map(formulas.__getitem__, chosen):
            lines.append(f"Goal {goal}.\nProof. intros; apply {theorem}; solve [ assumption | lia ]. Qed.")
        (folder / "formulas.v").write_text("\n".join([*lines, ""]), encoding="utf-8")
        _call(coqc, ["-q", "-R", ".", LIBRARY, "formulas.v"], folder, "formulas.v")

    if not formulas:
        return {}
    proved = dict(formulas)
    try:
        prove(formulas)
    except KernelError:  # one of them at least does not follow
        for claim in formulas:
            try:
                prove([claim])
            except KernelError:
                del proved[claim]
    return {claim: _one_line(goal) for claim, (goal, _) in proved.items()}


def _recheck(coqc: str, sources: Sources, folder: Path) -> bool:
    """Whether coqchk has checked the compiled modules (the standard library is not checked again)."""
    coqchk = shutil.which("coqchk", path=str(Path(coqc).parent))
    if not coqchk:
        return False
    ours = [argument for module in sources.modules for argument in ("-norec", f"{LIBRARY}.{module}")]
    done = _call(coqchk, ["-silent", "-o", "-R", ".", LIBRARY, *ours], folder, "coqchk")
    for line in assumed(done.stdout + done.stderr):
        raise KernelError(f"coqchk: the compiled files assume {line}")
    return True


def assumed(summary: str) -> list[str]:
    """What coqchk's summary says is assumed and is not an axiom of the standard library; it should be nothing."""
    _, *parts = re.split(r"^\* ", summary, flags=re.MULTILINE)
    kinds = dict(part.partition(":")[::2] for part in parts)
    if "Axioms" not in kinds:
        return [f"what its summary does not say: {_one_line(summary)!r}"]
    found = [name for name in kinds.pop("Axioms").split() if not name.startswith("Coq.") and name != "<none>"]
    kinds.pop("Theory", None)
    return found + [f"{kind}: {_one_line(rest)}" for kind, rest in kinds.items() if rest.strip() != "<none>"]


def _call(tool: str, arguments: Sequence[str], folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run a command that has to succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "COQPATH"}
    try:
        done = subprocess.run(
            [tool, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise KernelError(f"{what}: {Path(tool).name} did not end within {SECONDS:g} seconds") from error
    except OSError as error:
        raise KernelError(f"{tool} cannot be run: {error.strerror}") from error
    if done.returncode < 0:
        raise KernelError(f"{what}: {Path(tool).name} was ended by signal {-done.returncode}")
    if done.returncode:
        said = re.sub(r'File "\./(.*?)", line (\d+), characters \d+-\d+:', r"\1, line \2:", done.stderr or done.stdout)
        reason = _one_line(said)[:400] or f"exit status {done.returncode}"
        raise KernelError(reason if reason.startswith(f"{what}, line ") else f"{what}: {reason}")
    return done


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- what follows for the claims --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """What the kernel says of the claims.

    Attributes:
        ties: which theorem decides which claim.
        printed: what Coq printed; None if it did not come to that.
        error: why not.
    """

    ties: Ties
    printed: Printed | None
    error: str = ""

    def add_to(self, claim: str, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        """The evidence for a claim, with the kernel's; cited steps that the kernel has checked are marked."""
        marked = tuple(
            replace(item, steps=tuple(self._marked(claim, step) for step in item.steps)) for item in evidence
        )
        return (*marked, *self.evidence(claim))

    def evidence(self, claim: str) -> Iterator[Evidence]:
        """The kernel's evidence for or against a claim, if a theorem is tied to it."""
        ties = self.ties.claims().get(claim, ())
        kinds: dict[bool, list[Tie]] = {True: [], False: []}
        for tie in ties:
            kinds[claim in tie.proves].append(tie)
        for proves, theorems in kinds.items():
            if theorems:
                yield self._evidence(claim, theorems, "holds" if proves else "fails")

    def _evidence(self, claim: str, theorems: Sequence[Tie], outcome: Literal["holds", "fails"]) -> Evidence:
        engine = f"coqc {self.printed.version}" if self.printed else "coqc"
        scope = ", ".join(dict.fromkeys(tie.scope for tie in theorems))
        found = Evidence(engine, "kernel", scope, outcome, 0.0)
        if reason := self.error or "; ".join(wrong for tie in theorems for wrong in self.trouble[tie.name]):
            return replace(found, outcome="crashed", reason=reason)
        steps = tuple(Step(f"{tie.name} : {_one_line(tie.statement)}", "kernel", self._axioms()) for tie in theorems)
        steps += tuple(
            Step(f"it proves {one}{f' where {one.let}' * bool(one.let)}", "kernel", (_one_line(as_coq(claim, one)),))
            for tie in theorems
            if (one := tie.formulas.get(claim))
        )
        share = self.printed.seconds * len(theorems) / len(self.ties.theorems) if self.printed else 0.0
        scope += self._rechecked()
        found = replace(found, steps=steps, complete=outcome == "holds", scope=scope, seconds=share)
        if outcome == "fails":
            names = ", ".join(tie.name for tie in theorems)
            return replace(found, witness={"theorem": names}, reason=f"the kernel has a counterexample, {names}")
        return found

    def _axioms(self) -> tuple[str, ...]:
        return tuple(f"rests on no axiom but {axiom}" for axiom in self.printed.axioms) if self.printed else ()

    def _rechecked(self) -> str:
        return "; rechecked by coqchk" if self.printed and self.printed.rechecked else ""

    @cached_property
    def trouble(self) -> dict[str, list[str]]:
        """What is wrong with each theorem: it is not there, says something else, or rests on too much."""
        return {tie.name: list(_trouble(tie, self.ties, self.printed)) for tie in self.ties.theorems if self.printed}

    def _marked(self, claim: str, step: Step) -> Step:
        """A cited step that a theorem covers becomes one that the kernel has checked."""
        if step.kind != "cited" or not self.printed:
            return step
        for tie in self.ties.theorems:
            if step.text.startswith(tie.covers.get(claim, ())) and not self.trouble[tie.name]:
                return Step(step.text, "kernel", (tie.name,))
        return step


def _trouble(tie: Tie, ties: Ties, printed: Printed) -> Iterator[str]:
    if tie.name not in printed.statements:
        yield f"there is no theorem {tie.name}"
        return
    if printed.statements[tie.name] != _one_line(tie.statement):
        yield f"{tie.name} now says: {printed.statements[tie.name]}; recorded is: {_one_line(tie.statement)}"
    for name in _mentioned(tie.statement, ties):
        if name not in ties.definitions:
            yield f"{tie.name} speaks of {name}, which {TIES} does not record"
        elif printed.definitions.get(name) != (recorded := _one_line(ties.definitions[name])):
            yield f"{name} now is: {printed.definitions.get(name, 'not there')}; recorded is: {recorded}"
    for claim, one in tie.formulas.items():
        if printed.formulas.get(claim) != _one_line(as_coq(claim, one)):
            yield f"{tie.name} does not prove {one}, which is the formula of {claim}"
    for axiom in printed.beyond.get(tie.name, ()):
        yield f"{tie.name} rests on {axiom}, which is none of the axioms allowed"


def _mentioned(statement: str, ties: Ties) -> list[str]:
    """The definitions of ours that a statement mentions, and those that they mention."""
    found, waiting = [], _OURS.findall(statement)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += [other for other in _OURS.findall(ties.definitions.get(name, "")) if other != name]
    return found


# --- the command ------------------------------------------------------------------------------------------------------


KEPT = "kernel.json"


def find_coqc() -> str | None:
    """The coqc on the PATH."""
    return shutil.which("coqc")


def run(coqc: str, sources: Sources, folder: Path | None = None, fresh: bool = False) -> Kernel:
    """Let the kernel check the proofs; what it printed is kept, and used again while nothing has changed.

    Args:
        coqc: the command.
        sources: the proofs, and the ties.
        folder: where the answers are kept; the evidence's folder if not given.
        fresh: whether answers of earlier runs are ignored.
    """
    kept = (folder or default_folder()) / KEPT
    try:
        digest = _digest(version_of(coqc), sources)
        printed = None if fresh else _earlier(kept, digest)
        if not printed:
            printed = ask(coqc, sources)
            _keep(kept, digest, printed)
    except (KernelError, OSError) as error:
        return Kernel(sources.ties, None, str(error))
    return Kernel(sources.ties, printed)


def _digest(version: str, sources: Sources) -> str:
    """Of all that decides what Coq prints, and of this module, which reads it."""
    parts = [version, *sources.modules.values(), *sources.ties.axioms, query(list(sources.modules), sources.ties)]
    parts += [as_coq(claim, one) for tie in sources.ties.theorems for claim, one in tie.formulas.items()]
    return hashlib.sha256("\0".join([*parts, Path(__file__).read_text(encoding="utf-8")]).encode()).hexdigest()


def _earlier(file: Path, digest: str) -> Printed | None:
    try:
        content = verified(KEPT, parse_json(file.read_bytes()))
        if content.pop("digest") != digest:
            return None
        beyond = {name: tuple(axioms) for name, axioms in content.pop("beyond").items()}
        return Printed(**content | {"axioms": tuple(content["axioms"]), "beyond": beyond})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None  # nothing, or nothing that can be used


def _keep(file: Path, digest: str, printed: Printed) -> None:
    with suppress(OSError):  # then it is found again
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(sign(KEPT, {"digest": digest, **asdict(printed)})))
