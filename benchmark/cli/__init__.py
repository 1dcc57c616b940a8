"""The command line: one module a command, imported only when the command is run."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from hashbench.cli.lazy import LazyCommand, LazyGroup
from hashbench.core.errors import ExitCode, HashbenchError
from hashbench.core.pinning import restart_pinned
from hashbench.version import VERSION

# The sections of --help, and the commands of each, in the order of use.
_SECTIONS = {
    "Start and run": {
        "doctor": LazyCommand(
            "doctor", "Show this machine and its libraries; warn of known traps."
        ),
        "check": LazyCommand("check", "Check a matrix file and list its cells."),
        "run": LazyCommand("run", "Run every cell of a matrix that the store does not have yet."),
        "status": LazyCommand("status", "Show which cells are done, failed, running or missing."),
        "logs": LazyCommand("logs", "Show the output, the records and the epochs of one cell."),
    },
    "Read results": {
        "report": LazyCommand("report", "Print the records of stores as tables or as a web page."),
        "compare": LazyCommand("compare", "Compare methods or stores by paired statistics."),
        "evaluate": LazyCommand("evaluate", "Compute more metrics from stored codes."),
        "latency": LazyCommand("latency", "Measure search engines on stored codes."),
    },
    "Verify and share results": {
        "verify": LazyCommand("verify", "Check all records, files and numbers of stores."),
        "reproduce": LazyCommand("reproduce", "Run a recorded fit again and compare the results."),
        "explain-diff": LazyCommand("explain_diff", "List the fields in which two records differ."),
        "gate": LazyCommand("gate", "Fail if a store is worse than a baseline store."),
        "claims": LazyCommand("claims", "Judge written claims by the records of stores."),
        "export": LazyCommand("export", "Write the records of a store into one bundle."),
        "import": LazyCommand("import_bundle", "Add the records of a bundle to a store."),
        "merge": LazyCommand("merge", "Copy the records of several stores into one."),
    },
    "Search and serve": {
        "encode": LazyCommand("encode", "Compute the codes of images with a trained method."),
        "query": LazyCommand("query", "Show the database images nearest to given images."),
        "serve": LazyCommand("serve", "Answer searches over HTTP, on this machine only."),
        "studio": LazyCommand("studio", "Import, train, search and compare in a web page."),
        "shards": LazyCommand("shards", "Evaluate and search codes that do not fit in memory."),
    },
    "Data": {
        "data": LazyCommand("data", "Import your own images or prepare published datasets."),
        "protocols": LazyCommand("protocols", "List the evaluation protocols, or verify some."),
    },
    "Look up and extend": {
        "list": LazyCommand("listing", "List methods, backbones, losses, datasets and more."),
        "describe": LazyCommand("describe", "Describe a component, a protocol or a recipe."),
        "cite": LazyCommand("cite", "Print the BibTeX entries of components."),
        "new": LazyCommand("new", "Write a plugin file and its test."),
        "check-method": LazyCommand("check_method", "Check a component on tiny data."),
    },
}


# These compute codes or values in their own process, or start others that do.
_COMPUTE = {"encode", "evaluate", "gate", "latency", "query", "reproduce", "serve", "shards"}
_COMPUTE |= {"studio", "verify"}


class _Commands(LazyGroup):
    """The group of all commands; prints errors as one line and ends with their exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HashbenchError as error:
            for line in str(error).splitlines():
                click.echo(f"error: {line}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt as stop:
            text = str(stop) or "interrupted: finished work is kept; run the command again to go on"
            click.echo(text, err=True)
            ctx.exit(ExitCode.INTERRUPTED)


@click.group(
    cls=_Commands,
    sections=_SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="hashbench")
def main() -> None:
    """Benchmark deep hashing for image retrieval, with numbers that can be run again.

    `hashbench COMMAND --help` explains a command. To start: hashbench run matrices/quickstart.yaml,
    then hashbench report.
    """


def program() -> None:
    """Run the command line as the installed program.

    Commands that compute run in a process with pinned instruction sets; see
    `hashbench.core.pinning`.
    """
    if _COMPUTE.intersection(sys.argv[1:2]):
        restart_pinned()
    try:
        try:
            main()
        finally:
            if sys.stdout is not None:  # None if it was closed when the program started
                sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise  # not the standard output, which has no name
        _end_without_output(error)


def _end_without_output(error: OSError) -> None:
    """End because the standard output cannot be written: in silence if its reader has ended."""
    # Python writes what is left once more when it ends, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        sys.exit(ExitCode.INTERNAL)
    click.echo(
        f"error: cannot write the standard output: {error.strerror}; make room, or send it "
        "elsewhere",
        err=True,
    )
    sys.exit(ExitCode.USAGE)
