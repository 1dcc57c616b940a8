"""The form's fields that do not depend on the method, and what was entered in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from hashbench.core.registry import Kind
from hashbench.matrix.naming import PIXELS
from hashbench.matrix.recipes import DEFAULT_RECIPE
from hashbench.studio.context import StudioContext
from hashbench.studio.forms.matrix_form import NO_PRESET, Form, Part, whole_numbers
from hashbench.studio.forms.parameter_fields import Field, FieldKind
from hashbench.studio.forms.train_choices import (
    BITS,
    backbones,
    method_of,
    methods,
    recipe_card,
    recipe_names,
)
from hashbench.studio.menu import menu
from hashbench.studio.tabs.dataset_list import trainable

USUAL: Final = "usual"
_LABELS: Final = {
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "lr": "Learning rate",
    "backbone_lr": "Backbone's rate",
    "weight_decay": "Weight decay",
}
_NUMBERS: Final = tuple(_LABELS)
_WHOLE: Final = ("epochs", "batch_size")


class TrainFields:
    """The controls, made in the tab that is being built.

    Args:
        context: What the page was started with.
    """

    def __init__(self, context: StudioContext) -> None:
        self._device = context.device
        rows = trainable(context)
        names = [row.name for row in rows]
        with gr.Row():
            self.dataset = menu(
                names, value=names[0], label="Dataset", elem_id="train-dataset", interactive=True
            )
            self.protocol = menu(
                [USUAL, *rows[0].protocols],
                value=USUAL,
                label="Protocol",
                elem_id="train-protocol",
                interactive=True,
            )
        with gr.Row():
            self.method = gr.Dropdown(
                methods(),
                value="loss:hsc",
                label="Method",
                elem_id="train-method",
                interactive=True,
            )
            self.method_preset = menu(
                [NO_PRESET],
                value=NO_PRESET,
                label="Preset",
                elem_id="train-method-preset",
                interactive=True,
            )
        self.card = gr.Markdown(elem_id="train-method-card")
        with gr.Row():
            self.backbone = gr.Dropdown(
                backbones(),
                value="resnet_mini",
                label="Backbone",
                elem_id="train-backbone",
                interactive=True,
            )
            self.weights = gr.Textbox(
                "none",
                label="First weights",
                info="none, a file in a data root, timm/NAME or torchvision/NAME (these two fetch)",
                elem_id="train-weights",
                interactive=True,
            )
        with gr.Row():
            self.bits = gr.CheckboxGroup(
                list(BITS), value=[32], label="Bits", elem_id="train-bits", interactive=True
            )
            self.seeds = gr.Textbox(
                "0",
                label="Seeds",
                info="e.g. 0, 1, 2 or 0-4",
                elem_id="train-seeds",
                interactive=True,
            )
        self._training()

    def _training(self) -> None:
        self.recipe = gr.Dropdown(
            recipe_names(),
            value=DEFAULT_RECIPE,
            label="Recipe",
            info="Published training settings; an empty field below follows it",
            elem_id="train-recipe",
            interactive=True,
        )
        self.recipe_card = gr.Markdown(recipe_card(DEFAULT_RECIPE), elem_id="train-recipe-card")
        with gr.Row():
            self.numbers = [
                gr.Textbox(
                    label=_LABELS[name],
                    placeholder="recipe's",
                    elem_id=f"train-{name.replace('_', '-')}",
                    min_width=110,
                    interactive=True,
                )
                for name in _NUMBERS
            ]
        with gr.Row():
            self.validation = gr.Textbox(
                "0.1",
                label="Validation share",
                info="Of the training images, held out; 0 for none, as papers do",
                elem_id="train-validation",
                interactive=True,
            )
            self.every = gr.Textbox(
                "5",
                label="Epochs between validations",
                info="0 for never",
                elem_id="train-every",
                interactive=True,
            )
            self.cutoff = gr.Textbox(
                label="K of mAP@K",
                info="Beside mAP over all; empty for that alone",
                elem_id="train-cutoff",
                interactive=True,
            )

    @property
    def all(self) -> list[Any]:
        """The controls in the order in which `form` takes what was entered."""
        return [
            *(self.dataset, self.protocol, self.method, self.method_preset, self.backbone),
            *(self.weights, self.bits, self.seeds, self.recipe, *self.numbers),
            *(self.validation, self.every, self.cutoff),
        ]

    def form(
        self,
        entered: Sequence[Any],
        *,
        method_params: dict[str, Any],
        backbone_params: dict[str, Any],
    ) -> Form:
        """What was entered, as a form.

        Args:
            entered: The values of `all`.
            method_params: What was entered for the method's parameters.
            backbone_params: The same of the backbone.

        Raises:
            ConfigError: If something is no value of its kind.
        """
        dataset, protocol, method, preset, backbone, weights, bits, seeds, recipe = entered[:9]
        numbers = entered[9 : 9 + len(_NUMBERS)]
        validation, every, cutoff = entered[9 + len(_NUMBERS) :]
        kind, name = method_of(method)
        train = {"recipe": recipe} if recipe != DEFAULT_RECIPE else {}
        train |= {
            key: _number(key, value, whole=key in _WHOLE)
            for key, value in zip(_NUMBERS, numbers, strict=True)
        }
        trunk = Part(Kind.BACKBONE, backbone, None, backbone_params, (weights or "").strip())
        return Form(
            dataset=dataset or "",
            protocol="" if protocol in (None, USUAL) else protocol,
            method=Part(kind, name, None if preset == NO_PRESET else preset, method_params),
            backbone=None if backbone in (None, PIXELS) else trunk,
            bits=sorted(int(length) for length in bits or ()),
            seeds=whole_numbers(seeds or "", what="seeds"),
            train=train,
            validation=float(_number("validation share", validation) or 0),
            every=int(_number("epochs between validations", every, whole=True) or 0),
            cutoff=_whole("K", cutoff),
            device=self._device,
        )


def _number(key: str, entered: Any, *, whole: bool = False) -> int | float | None:
    """The number in a field; None if it is empty."""
    if entered is None or not str(entered).strip():
        return None
    kind = FieldKind.WHOLE if whole else FieldKind.NUMBER
    value: int | float = Field(key, kind, None, "").read(str(entered).strip())
    return value


def _whole(key: str, entered: Any) -> int | None:
    value = _number(key, entered, whole=True)
    return None if value is None else int(value)
