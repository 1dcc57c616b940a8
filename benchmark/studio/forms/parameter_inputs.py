"""A control for each parameter of a component."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.studio.forms.matrix_form import NO_PRESET
from hashbench.studio.forms.parameter_fields import Field, FieldKind, fields_of, preset_values

_A_ROW = 3


def parameter_inputs(kind: Kind, name: str, preset: str | None, *, prefix: str) -> dict[str, Any]:
    """Make the controls, filled with a preset's values.

    Args:
        kind: What the component is.
        name: Its name; one that cannot be loaded has no controls.
        preset: One of its presets; anything else stands for its defaults.
        prefix: How their ids begin; the parameter's name follows.

    Returns:
        The controls by parameter.
    """
    try:
        params = registry().load(kind, name).Params
    except ConfigError:
        return {}
    known = preset if preset in params.presets and preset != NO_PRESET else None
    values = preset_values(params, known)
    fields = fields_of(params)
    controls: dict[str, Any] = {}
    for first in range(0, len(fields), _A_ROW):
        with gr.Row():
            for field in fields[first : first + _A_ROW]:
                controls[field.name] = _control(field, values[field.name], prefix)
    return controls


def _control(field: Field, value: Any, prefix: str) -> Any:
    label = field.name.replace("_", " ").capitalize()
    about: dict[str, Any] = {
        "label": label,
        "info": field.help,
        "elem_id": f"{prefix}-{field.name.replace('_', '-')}",
        "interactive": True,
    }
    match field.kind:
        case FieldKind.SWITCH:
            return gr.Checkbox(bool(value), **about)
        case FieldKind.CHOICE:
            empty = [("none", "")] if field.optional else []
            return gr.Dropdown(
                [*empty, *field.choices], value="" if value is None else value, **about
            )
    return gr.Textbox("" if value is None else f"{value}", **about)
