"""Print the ``[sizes]`` and ``[sha256]`` tables of a new protocol, for its author to paste in.

``python -m hashbench.datasets.protocols.seal PROTOCOL [PLUGIN_FILE]``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hashbench.core.canonical import digest_array
from hashbench.core.errors import HashbenchError
from hashbench.core.plugins import load_plugins
from hashbench.core.registry import Kind, registry
from hashbench.datasets.labels import keep_columns
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol
from hashbench.datasets.protocols.sampling import ROLES
from hashbench.datasets.reading.index_list import digest_positions
from hashbench.datasets.roots import data_root

_MOST_WORDS = 2


def tables(spec: ProtocolSpec) -> str:
    """Compute both tables, as TOML, from the data and the protocol's sampling rule.

    The sizes and checksums that the protocol states are ignored.

    Raises:
        DataError: If the data cannot be read or split.
    """
    whole = registry().load(Kind.DATASET, spec.dataset)().load(data_root(None))
    data = keep_columns(whole, spec.columns)
    split = spec.sampling.split(data.labels)
    sums = {"pixels": digest_array(data.images), "labels": digest_array(data.labels)}
    sums |= {role: digest_positions(getattr(split, role)) for role in ROLES}
    lines = ["[sizes]", *(f"{role} = {len(getattr(split, role))}" for role in ROLES)]
    return "\n".join([*lines, "", "[sha256]", *(f'{what} = "{sha}"' for what, sha in sums.items())])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: A protocol's name, and the plugin file of its dataset if it has one; None takes
            those of the command line.

    Returns:
        The exit code: 0, or 2 if the name or the data are not usable.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not 1 <= len(words) <= _MOST_WORDS:
        print(
            "usage: python -m hashbench.datasets.protocols.seal PROTOCOL [PLUGIN_FILE]",
            file=sys.stderr,
        )
        return 2
    name, *plugins = words
    try:
        load_plugins(map(Path, plugins), registry())
        print(tables(load_protocol(name)))
    except HashbenchError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
