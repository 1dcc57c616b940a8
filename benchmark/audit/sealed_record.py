"""Whether a record's file is what was written, to the byte."""

from __future__ import annotations

import json
from pathlib import Path

from hashbench.core.errors import DamagedStoreError
from hashbench.core.record import Record
from hashbench.store.store import document_bytes, read_record


def read_sealed(path: Path) -> Record:
    """Read a record as strictly as can be.

    Beyond `read_record`, its bytes must be those that a record of that content is written in: a
    blank, a second key of the same name or another spelling of a number is an edit, too.

    Args:
        path: Its file.

    Raises:
        DamagedStoreError: If it is not what was written.
    """
    record = read_record(path)
    data = path.read_bytes()
    if document_bytes(json.loads(data)) != data:
        raise DamagedStoreError(
            f"store: {path} says what it always said, but was written anew (spacing, order of "
            f"keys, or spelling of a number)"
        )
    return record
