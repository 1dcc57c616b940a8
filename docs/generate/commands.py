"""The reference of the command line, made from click's commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import click
from markdown_table import code, table

from hashbench.cli import main


def page() -> str:
    """Return a section for each command: usage, explanation, options."""
    with click.Context(main, info_name="hashbench") as context:
        return "\n\n".join(_section(command) for command in _commands(main, context))


def _commands(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    for name in group.list_commands(context):
        command = cast(click.Command, group.get_command(context, name))  # it is listed
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.command_path}", f"```text\n{usage}\n```", _help(command)]
    records = (option.get_help_record(context) for option in command.params)
    rows = [(code(names), text) for names, text in filter(None, records)]
    return "\n\n".join([*parts, *([table(("option", "meaning"), rows)] if rows else [])])


def _help(command: click.Command) -> str:
    lines = (line.strip() for line in (command.help or "").replace("``", "`").splitlines())
    return "\n".join(lines).strip()
