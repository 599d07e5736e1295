"""Optional packages: a feature whose extra is not installed says which one to install."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtra(ImportError):
    """A feature needs a package that an extra of softmax-trick would have installed."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional module.

    Raises:
        MissingExtra: it is not installed; the message names the purpose and the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise MissingExtra(
            f"{purpose} needs {module.split('.')[0]}, which is not installed: pip install 'softmax-trick[{extra}]'"
        ) from error
