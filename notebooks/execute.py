"""Execute the notebooks in place: `python notebooks/execute.py [FILE ...]`, all of them if none is named.

What its cells have to come to stands in notebooks/checks/, out of the reader's way: after each cell its assertions are
run in the same kernel. What stays is what a reader sees, numbered as it was run, without times and versions: the same
code leaves the same file. A notebook that fails, or does not come to what is asserted, is left as it was.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from nbformat.reader import NotJSONError
from nbformat.v4 import new_code_cell

from softmax_trick.system.files import write_whole

FOLDER = Path(__file__).parent
TIMEOUT = 120  # seconds a cell
CHECK = "check"  # marks the cells that are none of the notebook's


def execute(notebook: NotebookNode, checks: Mapping[int, str] | None = None) -> NotebookNode:
    """The notebook, executed in a fresh kernel and cleaned; behind the cells with these numbers the checks are run.

    Raises:
        CellExecutionError: a cell raises, or a check.
        CellTimeoutError: a cell takes too long.
    """
    notebook = with_checks(notebook, checks or {})
    # On tensors this small, threads that wait by spinning take the cores from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        record_timing=False,
        coalesce_streams=True,  # where the kernel cuts what is printed depends on the moment
        resources={"metadata": {"path": str(FOLDER)}},
        extra_arguments=["--log-level=ERROR"],
    )
    executed: NotebookNode = client.execute()
    executed.cells = [cell for cell in executed.cells if CHECK not in cell.metadata]
    return cleaned(executed)


def checks_of(path: Path) -> dict[int, str]:
    """What a notebook's cells have to come to, by their numbers: each part of its file behind a line "# %% NUMBER"."""
    file = path.parent / "checks" / f"{path.stem}.py"
    parts = re.split(r"^# %% (\d+)\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE) if file.is_file() else [""]
    return {int(number): text for number, text in zip(parts[1::2], parts[2::2], strict=True)}


def with_checks(notebook: NotebookNode, checks: Mapping[int, str]) -> NotebookNode:
    """The notebook with a cell of checks behind each cell that has some.

    Raises:
        ValueError: there is no cell of that number.
    """
    cells, number = [], 0
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "code":
            number += 1
            if number in checks:
                cells.append(new_code_cell(checks[number], metadata={CHECK: True}))
    if beyond := [one for one in checks if one > number]:
        raise ValueError(f"there are checks of cell {beyond[0]}, and {number} cells")
    notebook.cells = cells
    return notebook


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs from run to run or from machine to machine."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    number = 0
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        if cell.cell_type == "code":
            number += 1
            cell.execution_count = number
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number
    return notebook


def reason(error: Exception) -> str:
    """Why a notebook could not be executed, in one line."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue} (make lab shows where)"
    return str(error).strip().splitlines()[0]


def main(names: list[str]) -> int:
    """Execute these files; the exit status is 1 if one fails."""
    for path in map(Path, names) if names else sorted(FOLDER.glob("*.ipynb")):
        start = time.perf_counter()
        print(path.name, end=" ", flush=True)
        try:
            done = execute(nbformat.read(path, as_version=4), checks_of(path))
        except (CellExecutionError, CellTimeoutError, OSError, NotJSONError, ValueError) as error:
            print(f"fails and is left as it was: {reason(error)}")
            return 1
        write_whole(path, nbformat.writes(done) + "\n")
        print(f"{time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
