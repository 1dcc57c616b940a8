"""The part of a component that every kind has: its card and its parameters."""

from __future__ import annotations

import inspect
from typing import Any

from hashbench.conformance.findings import expect
from hashbench.core.info import ComponentInfo
from hashbench.core.params import BaseParams, resolve_params

CARD = "card and parameters"
FIX_CARD = (
    "give the class info = ComponentInfo(title, ...), a docstring, and Params derived from "
    "BaseParams with a default for every parameter and presets that it accepts"
)


def check_card(cls: type[Any]) -> str:
    """Look at ``info``, the docstring, and ``Params`` with its presets.

    Returns:
        What is there.

    Raises:
        NotConformingError: If something is missing.
    """
    info = getattr(cls, "info", None)
    expect(isinstance(info, ComponentInfo) and bool(info.title), "no info with a title")
    assert isinstance(info, ComponentInfo)  # noqa: S101 - for the type checker: seen just above
    documented = bool(vars(cls).get("__doc__")) and bool(inspect.getdoc(cls))
    expect(documented, "no docstring: hashbench list and describe would show none")
    seen = f"'{info.title}', version {info.version}"
    params = getattr(cls, "Params", None)
    if params is None:
        return seen
    expect(inspect.isclass(params) and issubclass(params, BaseParams), "Params is no BaseParams")
    for preset in (None, *params.presets):
        resolve_params(params, preset=preset, params={})
    return f"{seen}, {len(params.model_fields)} parameters, {len(params.presets)} presets"
