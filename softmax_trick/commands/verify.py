"""`softmax-trick verify`: the claims of a ledger, decided."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import ChainMap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softmax_trick.commands.output import DIFFERENT, FILES, OK, WrongUsage, check_outputs, width_of, write
from softmax_trick.system.progress import progress_of
from softmax_trick.system.terminal import complain, say

if TYPE_CHECKING:
    from rich.console import Console

    from softmax_trick.ledger.cache import Cache
    from softmax_trick.ledger.claims import Claim, Verdict
    from softmax_trick.ledger.kernel import Kernel
    from softmax_trick.ledger.paper import MainFinding, Paper
    from softmax_trick.ledger.run import Ledger, Result

FEW = 40  # claims that are shown as a table even if nothing was asked for; more are summed up
CLAIM_IDS = "_softmax_trick_claim_ids"  # a function of the completion script


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    verify = commands.add_parser(
        "verify",
        help="decide the claims of the paper",
        description="Decide claims of the paper, or of another ledger: proved, refuted, measured or undecided, by "
        "evidence that is computed. Claims of the ledgers that come beside the paper's are found by ID, too. "
        "A terminal gets the titles of what is refuted, the main findings and the counts; "
        "with one ID, the steps of its proof or its counterexample; else a table. Where standard output is no "
        "terminal, each claim is a line: ID, verdict, rung, statement and reason, with tabs between them; the counts "
        "are on standard error. Evidence is kept, and found again for as long as the statement, the checker's source "
        "and the libraries stay the same.",
        epilog="Exit status: 0 if every verdict is the recorded one, which may be undecided; 1 if one is not, if a "
        "claim crashed or is undecided without a record that says so, or if something could not be written (what "
        "waits for torch, where that is not installed, counts for nothing); 2 for "
        "wrong usage; 130 after Ctrl-C.",
    )
    what = 'claims to decide, such as T1.4a, or patterns of them, such as "A1.*", in any letter case (default: all)'
    ids = verify.add_argument("ids", nargs="*", metavar="ID", help=what)
    in_section = "those of a section alone: A, 4, 4.1, B.2, or words of its heading"
    verify.add_argument("--section", metavar="SECTION", help=in_section)
    for verdict in VERDICTS:
        verify.add_argument(f"--{verdict}", action="store_true", help=f"show and write those alone that are {verdict}")
    verify.add_argument("--all", action="store_true", help="show the table of all claims on a terminal, too")
    verify.add_argument("--list", action="store_true", help="list claims and what is known of them; decide nothing")
    verify.add_argument("--fresh", action="store_true", help="ignore evidence of earlier runs")
    ledger = verify.add_argument(
        "--ledger",
        metavar="LEDGER",
        help="another ledger: the name of one that comes with the package, such as balanced-softmax, a TOML file of "
        "formulas, or a folder with a Python package, which is run",
    )
    ledger.complete = FILES
    verify.add_argument("--record", action="store_true", help="record the verdicts, for later runs to be compared with")
    kernel = "let Coq's kernel check the theorems of proofs/coq too; needs coqc on the PATH"
    verify.add_argument("--kernel", action="store_true", help=kernel)
    results = verify.add_argument(
        "--results", metavar="FILE", type=Path, help="runs for the measured claims (default: those of this project)"
    )
    results.complete = FILES
    for name, what in KINDS.items():
        output = verify.add_argument(f"--{name}", metavar="FILE", help=f"write the claims {what}; - is standard output")
        output.complete = FILES
    ids.complete = dict.fromkeys(FILES, CLAIM_IDS)
    verify.set_defaults(run=run, if_interrupted="; the evidence found so far is kept: run it again to go on")


VERDICTS = ("proved", "refuted", "measured", "undecided")
KINDS = {
    "json": "as JSON",
    "html": "as one page",
    "errata": "that are false, as two pages of Markdown",
    "supplement": "that are false, each with its counterexample, as Markdown",
}


def run(options: argparse.Namespace) -> int:
    """Read everything, then do it; returns the exit status."""
    from rich.console import Console

    from softmax_trick.ledger.cache import Cache
    from softmax_trick.ledger.run import Ledger, UnknownClaim, differences, left_out

    errors = Console(stderr=True, width=width_of(sys.stderr))
    outputs = {name: vars(options)[name] for name in KINDS if vars(options)[name]}
    check_outputs(outputs.values())
    if options.ledger and (options.kernel or options.supplement):
        raise WrongUsage("--kernel and --supplement are of this project's paper: leave them out with --ledger")
    cache = Cache(_folder(options.ledger))
    paper, others = _papers(options, cache)
    claims = ChainMap(dict(paper.claims), *(dict(one.claims) for one in others))
    if options.kernel and options.list:
        raise WrongUsage("--list decides nothing, and --kernel asks Coq to decide: give one of the two")
    kernel = _kernel(options.fresh, errors) if options.kernel else None
    ledger = Ledger(
        claims,
        cache=cache,
        results=_results(options.results) if options.results or not options.ledger else None,
        run=not options.list,
        fresh=options.fresh,
        kernel=kernel.add_to if kernel else None,
    )
    try:
        selected = _in_section(options.section, _selected(options, ledger, paper, others), claims)
    except UnknownClaim as error:
        raise WrongUsage(str(error)) from error
    if options.list:
        from softmax_trick.report.claims_table import known

        listed = [ledger.result(name) for name in selected]
        _show_list(_chosen(listed, options))
        if _verdicts(options) and (unknown := [one for one in listed if not known(one)]):
            complain(f"softmax-trick: claims without a verdict yet: {len(unknown)}; verify without --list decides them")
        return OK

    results = _run(ledger, selected)
    chosen = _chosen(results, options)
    written = [
        write(_rendered(kind, chosen, paper if options.ledger else None), file) for kind, file in outputs.items()
    ]
    _show(chosen, paper.findings, options, aside="-" in outputs.values())  # standard output is then that output alone
    status = OK if all(written) else DIFFERENT
    verdicts = {one.claim.id: one.verdict for one in results}
    if options.record:
        reached = {one.claim.id: one.verdict for one in results if not one.judgement.not_run}
        status = max(status, _record((paper, *others), reached))
    recorded = {name: verdict for one in (paper, *others) for name, verdict in one.recorded.items()}
    for line in differences(results, verdicts if options.record else recorded):
        complain(f"softmax-trick: {line}")
        status = DIFFERENT
    if missing := left_out(results):
        complain(f"softmax-trick: {missing}")
    if cache.trouble:
        complain(f"softmax-trick: the evidence could not be kept: {cache.trouble}")
    return status


# --- which claims, and how they are shown -----------------------------------------------------------------------------


def _papers(options: argparse.Namespace, cache: Cache) -> tuple[Paper, Sequence[Paper]]:
    """The ledger that is meant, and others that come with the package, if some of their claims may be needed."""
    from softmax_trick.ledger.contents import paper_in
    from softmax_trick.ledger.run import Ledger, UnknownClaim
    from softmax_trick.ledger.works import MODULES

    if options.ledger and options.ledger not in MODULES:
        return paper_at(options.ledger), ()
    modules: dict[str | None, str] = {None: "softmax_trick.proofs"}
    modules.update(MODULES)
    paper = paper_in(modules[options.ledger], cache)
    if not options.ledger and not options.list:
        try:
            Ledger(paper.claims).select(options.ids)
        except UnknownClaim:
            pass
        else:
            return paper, ()
    return paper, [paper_in(module, cache) for name, module in modules.items() if name != options.ledger]


def _selected(options: argparse.Namespace, ledger: Ledger, paper: Paper, others: Sequence[Paper]) -> list[str]:
    """The claims that are asked for: by IDs and patterns, of that ledger first; else all of it.

    A list without a ledger is of all that come with the package.

    Raises:
        UnknownClaim: one of them is no claim of any ledger that is known, or a pattern of none.
    """
    from softmax_trick.ledger.run import Ledger, UnknownClaim

    if not options.ids:
        listed = others if options.list and not options.ledger else ()
        return [name for one in (paper, *listed) for name in one.claims]
    own, found = Ledger(paper.claims), list[str]()
    for wanted in options.ids:
        try:
            found += own.select([wanted])
        except UnknownClaim:
            found += ledger.select([wanted])
    return list(dict.fromkeys(found))


def _in_section(section: str | None, names: Sequence[str], claims: Mapping[str, Claim]) -> list[str]:
    """Those of the names whose claims belong to the section.

    Raises:
        WrongUsage: none does.
    """
    if section is None:
        return list(names)
    from softmax_trick.report.parts import headings, in_section

    if found := [name for name in names if in_section(claims[name], section)]:
        return found
    if any(in_section(claim, section) for claim in claims.values()):
        raise WrongUsage(f"--section: none of the claims named belongs to {section!r}")
    sections = ", ".join(headings(claims[name] for name in names))
    raise WrongUsage(f"--section: no claim belongs to {section!r}; there are {sections}")


def _verdicts(options: argparse.Namespace) -> list[str]:
    """Those that are asked for alone."""
    return [one for one in VERDICTS if vars(options)[one]]


def _chosen(results: Sequence[Result], options: argparse.Namespace) -> list[Result]:
    """Those with a verdict that is asked for: all, if none is."""
    from softmax_trick.report.claims_table import known

    verdicts = _verdicts(options)
    if not verdicts:
        return list(results)
    return [one for one in results if one.verdict in verdicts and (known(one) or not options.list)]


def _show(results: Sequence[Result], findings: Sequence[MainFinding], options: argparse.Namespace, aside: bool) -> None:
    """One claim in full if its ID was given; else, on a terminal, a summary or a table, and a line a claim elsewhere.

    Args:
        results: what is shown.
        findings: the main ones, which a summary says in words.
        options: of the command line.
        aside: whether it goes to standard error.
    """
    from rich.console import Console

    from softmax_trick.ledger.works import recorded_of_all
    from softmax_trick.report.claims_table import line_of, summary, table_of_claims, totals
    from softmax_trick.report.console import claim_in_full, show

    stream = sys.stderr if aside else sys.stdout
    console = Console(stderr=aside, width=width_of(stream))
    narrowed = options.ids or options.section or _verdicts(options)
    if len(results) == 1 and len(options.ids) == 1 and options.ids[0].casefold() == results[0].claim.id.casefold():
        show(console, claim_in_full(results[0]))
    elif stream.isatty() and not narrowed and not options.all and len(results) > FEW:
        show(console, summary(results, findings, console))
    elif stream.isatty():
        show(console, table_of_claims(results, console))
    else:
        for line in [] if aside else map(line_of, results):
            say(line)
        for line in totals(results):
            complain(line)
    for line in [] if narrowed or options.ledger else recorded_of_all():
        complain(line)


def _show_list(results: Sequence[Result]) -> None:
    from rich.console import Console

    from softmax_trick.report.claims_table import line_of_list, list_of_claims
    from softmax_trick.report.console import show

    if sys.stdout.isatty():
        console = Console()
        show(console, list_of_claims(results, console))
    else:
        for result in results:
            say(line_of_list(result))


def paper_at(place: str) -> Paper:
    """The ledger of a name that comes with the package, or in a place: for one of such a name write ./NAME."""
    from importlib import import_module

    from softmax_trick.ledger.paper import LedgerError, load
    from softmax_trick.ledger.works import MODULES

    if place in MODULES:
        paper: Paper = import_module(MODULES[place]).PAPER
        return paper
    try:
        return load(Path(place))
    except LedgerError as error:
        names = "" if Path(place).exists() else f"; those that come with the package are {', '.join(MODULES)}"
        raise WrongUsage(f"--ledger: {error}{names}") from error


def _folder(place: str | None) -> Path | None:
    """Where the evidence for another ledger is kept: its IDs may be those of this project's claims."""
    from softmax_trick.ledger.cache import default_folder
    from softmax_trick.ledger.works import MODULES

    if place is None or place in MODULES:
        return None
    return default_folder() / "ledgers" / hashlib.sha256(str(Path(place).resolve()).encode()).hexdigest()[:16]


def _record(papers: Sequence[Paper], verdicts: Mapping[str, Verdict]) -> int:
    """Record verdicts, each in the ledger of its claim; returns the exit status."""
    status = OK
    for paper in papers:
        if own := {name: verdict for name, verdict in verdicts.items() if name in paper.claims}:
            try:
                say(f"recorded in {paper.keep(own)}")
            except (ValueError, OSError) as error:
                complain(f"softmax-trick: the verdicts could not be recorded: {error}")
                status = DIFFERENT
    return status


def _kernel(fresh: bool, errors: Console) -> Kernel | None:
    """What Coq's kernel says; without Coq a line that says what to install, and nothing else is different."""
    from softmax_trick.ledger.kernel import HOW_TO_INSTALL, find_coqc, run
    from softmax_trick.proofs import in_coq

    coqc = find_coqc()
    if not coqc:
        complain(f"softmax-trick: --kernel: there is no coqc on the PATH: {HOW_TO_INSTALL}")
        return None
    with errors.status("Coq checks the theorems of proofs/coq"):
        return run(coqc, in_coq(), fresh=fresh)


def _results(file: Path | None) -> Any:
    from softmax_trick.measurements.results import ResultsError, committed_results, load_results

    try:
        return load_results(file) if file else committed_results()
    except ResultsError as error:
        raise WrongUsage(str(error)) from error


def _rendered(kind: str, results: Sequence[Result], paper: Paper | None) -> str:
    """One of the outputs; without a paper of this project's."""
    if kind == "html":
        from softmax_trick.report.ledger_page import ledger_page

        return ledger_page(results, paper)
    if kind == "errata" and paper:
        from softmax_trick.report.errata import false_statements

        return false_statements(results, paper)
    if kind in ("errata", "supplement"):
        from softmax_trick.report.errata import errata, supplement

        return errata(results) if kind == "errata" else supplement(results)
    from softmax_trick.ledger.run import as_json

    return json.dumps(as_json(results), indent=2) + "\n"


def _run(ledger: Ledger, selected: Sequence[str]) -> list[Result]:
    """Run the claims in order, and tell how many are decided."""
    with ledger.gathering(selected), progress_of("verify", len(selected), "claims") as advance:
        results = []
        for number, name in enumerate(selected):
            advance(name, number)
            results.append(ledger.result(name))
        return results
