"""Every test of metrics runs with compiled loops and with numpy alone."""

from __future__ import annotations

import pytest

from hashbench.evaluation.tool import VARIABLE, Tool


def pytest_generate_tests(metafunc):
    """Ask for each tool in the modules about metrics."""
    if "_metrics_" in metafunc.module.__name__:
        metafunc.fixturenames.append("tool")
        metafunc.parametrize("tool", list(Tool), indirect=True, scope="module")


@pytest.fixture(scope="module")
def tool(request):
    """Fix the tool that evaluation counts with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, request.param)
        yield request.param
