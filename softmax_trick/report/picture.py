"""The ledger as a picture: `python -m softmax_trick.report.picture FILE.svg` decides all and draws the counts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from softmax_trick.ledger.run import verify
from softmax_trick.report.console import show, table_of_parts
from softmax_trick.system.files import write_whole

WIDTH = 112  # characters


def main() -> None:
    """Decide all claims and write the picture."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m softmax_trick.report.picture FILE.svg")
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    show(console, table_of_parts(verify()))
    svg = console.export_svg(title="softmax-trick verify", theme=MONOKAI, unique_id="ledger")
    write_whole(Path(sys.argv[1]), svg)


if __name__ == "__main__":
    main()
