"""A group of commands of which only the one that is used is imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Loads a command when it is asked for.

    Args:
        modules: For each command, in the order of use, the module beside this one whose
            ``command`` it is.
        given: What a group takes.
    """

    def __init__(self, *, modules: Mapping[str, str], **given: Any) -> None:
        super().__init__(**given)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if cmd_name not in self._modules:
            return None
        command = import_module(f"hashbench.cli.{self._modules[cmd_name]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own modules
        return command
