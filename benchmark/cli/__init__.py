"""The command line: one small module a command, imported only when it is used."""

from __future__ import annotations

from typing import Any

import click

from hashbench.cli.lazy import LazyGroup
from hashbench.core.errors import ExitCode, HashbenchError
from hashbench.version import VERSION

# In the order of use.
_COMMANDS = {
    "check": "check",
    "run": "run",
    "status": "status",
    "logs": "logs",
    "report": "report",
    "compare": "compare",
    "gate": "gate",
    "claims": "claims",
    "verify": "verify",
    "reproduce": "reproduce",
    "explain-diff": "explain_diff",
    "evaluate": "evaluate",
    "export": "export",
    "import": "import_bundle",
    "merge": "merge",
    "encode": "encode",
    "query": "query",
    "serve": "serve",
    "studio": "studio",
    "latency": "latency",
    "shards": "shards",
    "data": "data",
    "list": "listing",
    "describe": "describe",
    "protocols": "protocols",
    "cite": "cite",
    "new": "new",
    "check-method": "check_method",
    "doctor": "doctor",
}


class _Commands(LazyGroup):
    """Turns errors into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HashbenchError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt as stop:
            told = str(stop) or "interrupted: what was finished is kept; run again to go on"
            click.echo(told, err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(
    cls=_Commands,
    modules=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="hashbench")
def main() -> None:
    """Benchmark deep hashing for image retrieval, with numbers that can be run again."""
