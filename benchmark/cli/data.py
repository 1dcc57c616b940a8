"""``hashbench data``: bring in your own images, and prepare published datasets."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "import": "data_import",
    "prepare": "data_prepare",
    "lists": "data_lists",
}


class _DataCommands(click.Group):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = import_module(f"hashbench.cli.{_COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)  # noqa: S101 - our own modules
        return command


@click.group(cls=_DataCommands)
def command() -> None:
    """Bring in your own images, prepare published datasets, and write their lists."""
