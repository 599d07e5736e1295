"""Where the paper's text is, which is not part of the repository: beside the data sets, in a folder called paper."""

import os
from pathlib import Path

PAPERS = Path(os.environ.get("SOFTMAX_TRICK_DATA", Path(__file__).parents[2] / "shared" / "data")).parent / "paper"
RECORD = PAPERS / "entropy-2024-26-65.md"
ARXIV = PAPERS / "arxiv-2311.16357v1.txt"
