"""`python -m softmax_trick.train`: train a network of the paper (`softmax_trick.commands.train`)."""

from __future__ import annotations

import sys

from softmax_trick.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
