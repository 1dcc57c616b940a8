"""What the form of the tab Train offers: methods, backbones, presets, and a word on each."""

from __future__ import annotations

from typing import Any, Final

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.matrix.naming import PIXELS
from hashbench.matrix.recipes import recipes
from hashbench.studio.forms.matrix_form import NO_PRESET

_KINDS: Final = {"loss": Kind.LOSS, "method": Kind.METHOD}
BITS: Final = (8, 12, 16, 24, 32, 48, 64, 96, 128, 256)


def methods() -> list[tuple[str, str]]:
    """Every loss and every shallow method: what is read, and its key."""
    return [
        (f"{name} — {component_title(kind, name)}{mark}", f"{word}:{name}")
        for word, kind, mark in (("loss", Kind.LOSS, ""), ("method", Kind.METHOD, " (shallow)"))
        for name in registry().names(kind)
        if not name.endswith("/*")
    ]


def backbones() -> list[tuple[str, str]]:
    """Every backbone, and the pixels, which shallow methods can work on."""
    names = [name for name in registry().names(Kind.BACKBONE) if not name.endswith("/*")]
    listed = [(f"{name} — {component_title(Kind.BACKBONE, name)}", name) for name in names]
    return [*listed, ("pixels — no backbone, for shallow methods", PIXELS)]


def method_of(key: str) -> tuple[Kind, str]:
    """The kind and name behind a key of `methods`.

    Raises:
        ConfigError: If it is none.
    """
    word, _, name = (key or "").partition(":")
    if word not in _KINDS:
        raise ConfigError("method: choose one")
    return _KINDS[word], name


def presets(kind: Kind, name: str) -> list[str]:
    """A component's presets, its defaults first."""
    return [NO_PRESET, *_component(kind, name).Params.presets]


def recipe_names() -> list[tuple[str, str]]:
    """Every recipe: what is read, and its name."""
    return [(f"{name} — {recipe['source']}", name) for name, recipe in recipes().items()]


def recipe_card(name: str) -> str:
    """A recipe's settings in one line."""
    shown = ("epochs", "iterations", "batch_size", "optimiser", "lr", "backbone_lr", "weight_decay")
    recipe = recipes().get(name, {})
    words = [f"{key} {recipe[key]}" for key in shown if key in recipe]
    scratch = [f"{key} {value}" for key, value in recipe.get("scratch", {}).items()]
    without = f"; without pretrained weights {', '.join(scratch)}" if scratch else ""
    return ", ".join(words) + without


def component_card(kind: Kind, name: str) -> str:
    """What a component is, in a few words: title, paper, what it can be trained on."""
    info = _component(kind, name).info
    words = [info.title, info.paper, f"equation {info.equation}" if info.equation else ""]
    words.append("labels: " + " or ".join(sorted(info.labels)))
    words.append("our reconstruction: no formula was published" if info.reconstruction else "")
    return "; ".join(word for word in words if word)


def component_title(kind: Kind, name: str) -> str:
    """What a component is, in a line, read without importing it; that it is not there, if so."""
    try:
        return registry().get(kind, name).summary().rstrip(".") or name
    except (ConfigError, OSError, SyntaxError):
        return "cannot be loaded"


def _component(kind: Kind, name: str) -> Any:
    return registry().load(kind, name)
