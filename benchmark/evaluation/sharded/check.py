"""Whether the files of a folder of shards are what its manifest says, to the byte."""

from __future__ import annotations

from collections.abc import Callable

from hashbench.core.canonical import digest_file
from hashbench.evaluation.sharded.folder import ShardFolder


def changed_files(
    folder: ShardFolder, *, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Read every file once.

    Args:
        folder: The folder.
        progress: Called with files read and in all.

    Returns:
        One line for each file whose checksum is not the manifest's.
    """
    files, problems = folder.files(), []
    for done, entry in enumerate(files, 1):
        path = folder.root / entry.file
        try:
            found = digest_file(path)
        except OSError as error:
            problems.append(f"{path}: cannot be read: {error.strerror}")
        else:
            if found != entry.sha256:
                problems.append(
                    f"{path}: has SHA-256 {found[:12]}…, the manifest says {entry.sha256[:12]}…; "
                    f"copy the file again, or adopt the files anew"
                )
        if progress:
            progress(done, len(files))
    return problems
