"""The notebooks run from top to bottom; their assertions hold."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path):
    notebook = nbformat.read(path, as_version=4)
    assert all(cell.outputs for cell in notebook.cells[2:] if cell.cell_type == "code" and "print(" in cell.source)
    NotebookClient(notebook, timeout=120).execute()


def test_a_notebook_whose_text_is_contradicted_fails():
    """Planted: an assertion that does not hold."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("assert 1 == 2")])
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook, timeout=60).execute()
