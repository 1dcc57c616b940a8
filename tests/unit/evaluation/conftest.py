"""Hand-worked cases and bad input are the same with compiled loops and with numpy alone."""

from __future__ import annotations

import pytest

from hashbench.evaluation.tool import VARIABLE, Tool


def pytest_generate_tests(metafunc):
    """Ask for each tool in the modules that evaluate."""
    if metafunc.module.__name__.endswith(("test_hand_worked_cases", "test_bad_input")):
        metafunc.fixturenames.append("counted_with")
        metafunc.parametrize("counted_with", list(Tool), indirect=True, scope="module")


@pytest.fixture(scope="module")
def counted_with(request):
    """Fix the tool that evaluation counts with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, request.param)
        yield request.param
