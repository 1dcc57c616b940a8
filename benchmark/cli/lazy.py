"""A group of commands that imports only the command that is run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """A command that is not imported yet.

    Attributes:
        module: The module of `hashbench.cli` whose ``command`` it is.
        help: One sentence for the list of commands, short enough for one line of 80 columns.
    """

    module: str
    help: str


class LazyGroup(click.Group):
    """A group that lists its commands in named sections without importing them.

    Args:
        sections: By title of the section, the commands by name, in the order of use.
        given: Everything else that `click.Group` takes.
    """

    def __init__(self, *, sections: Mapping[str, Mapping[str, LazyCommand]], **given: Any) -> None:
        super().__init__(**given)
        self._sections = sections
        self._known = {name: each for part in sections.values() for name, each in part.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of use."""
        return list(self._known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; return None if no command has that name."""
        if cmd_name not in self._known:
            return None
        module, short_help = self._known[cmd_name]
        command = import_module(f"hashbench.cli.{module}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own modules
        command.short_help = short_help  # shell completion shows it
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, their sentences in one column."""
        width = max(map(len, self._known))
        for title, part in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", each.help) for name, each in part.items()])
