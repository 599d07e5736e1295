"""Execute the notebooks in place: `python notebooks/execute.py [FILE ...]`, all of them if none is named.

What stays is what a reader sees, without times, counts and versions: the same code leaves the same file. A notebook
that fails is left as it was.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from nbformat.reader import NotJSONError

from softmax_trick.system.files import write_whole

FOLDER = Path(__file__).parent
TIMEOUT = 120  # seconds a cell


def execute(notebook: NotebookNode) -> NotebookNode:
    """The notebook, executed in a fresh kernel and cleaned.

    Raises:
        CellExecutionError: a cell raises.
        CellTimeoutError: a cell takes too long.
    """
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
    return cleaned(executed)


def cleaned(notebook: NotebookNode) -> NotebookNode:
    """The notebook without what differs from run to run or from machine to machine."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = NotebookNode(kernelspec=kernel, language_info={"name": "python"})
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        if cell.cell_type == "code":
            cell.execution_count = None
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = None
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
            done = execute(nbformat.read(path, as_version=4))
        except (CellExecutionError, CellTimeoutError, OSError, NotJSONError) as error:
            print(f"fails and is left as it was: {reason(error)}")
            return 1
        write_whole(path, nbformat.writes(done) + "\n")
        print(f"{time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
