"""The pytest plugin: fixtures `check_loss`, `check_normalizer` and `prove_gradient`, and a marker for the first two.

    @pytest.mark.softmax_trick(reduction="mean", features=["ignore_index"])
    def test_my_loss(check_loss):
        check_loss(my_loss)

The marker may stand on a function, a class or a module (`pytestmark`); the nearest one counts, and arguments of the
call come before it. Neither torch nor Hypothesis is imported before a test asks for a fixture.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from softmax_trick.proving import Proof
    from softmax_trick.testing import Checked

MARKER = "softmax_trick"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}(**arguments): arguments for the fixtures check_loss and check_normalizer"
    )


@pytest.fixture
def check_loss(request: pytest.FixtureRequest) -> Callable[..., Checked]:
    """`softmax_trick.testing.check_loss` with the arguments of the nearest marker."""
    from softmax_trick import testing

    return _with_marker(request, testing.check_loss)


@pytest.fixture
def check_normalizer(request: pytest.FixtureRequest) -> Callable[..., Checked]:
    """`softmax_trick.testing.check_normalizer` with the arguments of the nearest marker."""
    from softmax_trick import testing

    return _with_marker(request, testing.check_normalizer)


@pytest.fixture
def prove_gradient() -> Callable[..., Proof]:
    """`softmax_trick.prove_gradient`; a test fails unless all is proved."""
    from softmax_trick.proving.proof import prove_gradient

    def proved(function: Any, inputs: str, **options: Any) -> Proof:
        proof = prove_gradient(function, inputs, **options)
        if proof.verdict != "proved":
            pytest.fail(f"{proof.function}: {proof.verdict}\n{proof}", pytrace=False)
        return proof

    return proved


def _with_marker(request: pytest.FixtureRequest, check: Callable[..., Checked]) -> Callable[..., Checked]:
    """The check with those arguments of the nearest marker that it knows.

    Raises:
        UsageError: the marker has positional arguments, or one that neither check knows.
    """
    from softmax_trick import testing

    marker = request.node.get_closest_marker(MARKER)
    if marker is None:
        return check
    if marker.args:
        raise pytest.UsageError(f"@pytest.mark.{MARKER} takes named arguments only, such as reduction='mean'")
    known = {name for one in (testing.check_loss, testing.check_normalizer) for name in _arguments(one)}
    for name in marker.kwargs:
        if name not in known:
            raise pytest.UsageError(
                f"@pytest.mark.{MARKER} has no argument {name!r}: choose among {', '.join(sorted(known))}"
            )
    chosen: dict[str, Any] = {name: value for name, value in marker.kwargs.items() if name in _arguments(check)}
    return partial(check, **chosen)


def _arguments(check: Callable[..., Any]) -> list[str]:
    """The names of its arguments but for the first, the function under test."""
    return list(inspect.signature(check).parameters)[1:]
