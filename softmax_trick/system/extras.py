"""Optional packages: a feature whose extra is not installed says which one to install."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

EXTRAS = {"torch": "torch", "ninja": "native", "hypothesis": "testing"}
"""Packages that more than one feature needs, each with the extra that installs it."""


class MissingExtra(ImportError):
    """A feature needs a package that an extra of softmax-trick would have installed."""


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional module.

    Raises:
        MissingExtra: it is not installed; the message names the purpose and the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        if reason := why_not_imported(package, error):
            raise MissingExtra(f"{purpose} needs {package}, which {reason}: {remedy(extra)}") from error
        raise


def demand(purpose: str, *packages: str) -> None:
    """Ask for packages of `EXTRAS` before any of them is imported.

    Raises:
        MissingExtra: some are not installed; the message names the purpose and the extras.
    """
    if missing := [package for package in packages if not is_installed(package)]:
        are = "is" if len(missing) == 1 else "are"
        extras = ",".join(EXTRAS[package] for package in missing)
        raise MissingExtra(f"{purpose} needs {' and '.join(missing)}, which {are} not installed: {remedy(extras)}")


def wanted(module: str, purpose: str) -> Any:
    """Import a module of this package that may need an optional one.

    Raises:
        MissingExtra: that is not installed; the message names the purpose and the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if missing := missing_extra(error, purpose):
            raise missing from error
        raise


def missing_extra(error: ImportError, purpose: str) -> MissingExtra | None:
    """What an import that has failed wants, if it is one of `EXTRAS`."""
    if isinstance(error, MissingExtra):
        return error
    for package, extra in EXTRAS.items():
        if reason := why_not_imported(package, error):
            return MissingExtra(f"{purpose} needs {package}, which {reason}: {remedy(extra)}")
    return None


def remedy(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install 'softmax-trick[{extra}]'"


def is_installed(package: str) -> bool:
    """Whether a package is there to be imported; it is not imported for that."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # something stands in its place that forbids the import
        return False


def why_not_imported(package: str, error: BaseException) -> str:
    """Why a package cannot be imported, "is not installed", if it is that of which an error speaks; else ""."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        of_it = error.name.startswith(f"{package}.") and not is_installed(package)
        if error.name == package or of_it:
            return "is not installed"
    try:
        importlib.import_module(package)
    except Exception as again:
        if type(again) is type(error) and str(again) == str(error):
            reason = f"cannot be imported ({type(again).__name__}: {again})"
            return reason if is_installed(package) else "is not installed"
    return ""
