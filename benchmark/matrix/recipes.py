"""Recipes: published training settings by name, as data."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

DEFAULT_RECIPE: Final = "ours"


@lru_cache(maxsize=1)
def recipes() -> dict[str, dict[str, Any]]:
    """Return all recipes as written in recipes.toml."""
    text = files(__package__).joinpath("recipes.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def recipe_values(name: str, *, backbone: str, pretrained: bool) -> dict[str, Any]:
    """Return a recipe's values for one backbone.

    Args:
        name: An existing recipe.
        backbone: The backbone's name, for which a recipe may have values of its own.
        pretrained: Whether it has pretrained weights; without, ``[NAME.scratch]`` applies.
    """
    recipe = recipes()[name]
    scratch = {} if pretrained else recipe.get("scratch", {})
    return {**recipe, **scratch, **recipe.get("backbone", {}).get(backbone, {})}
