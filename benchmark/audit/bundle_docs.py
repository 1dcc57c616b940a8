"""Make the documents in a bundle: matrix, version constraints, citations, a readme."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hashbench.audit.citations import bibliography, components_of
from hashbench.core.record import FitRecord, Record
from hashbench.core.registry import Registry

_README = """\
Records of hashbench, each named by its own digest, with the codes they were computed from.

  hashbench verify BUNDLE.zip                 compute every number again and compare
  hashbench import BUNDLE.zip --store FOLDER  add the records to a store
  hashbench report --store FOLDER             print them as tables

{cells} cells, {records} records. matrix.json: every cell with all its settings.
constraints-N.txt: the library versions of the fits, for pip install -c.
references.bib: the papers behind the methods, data and engines; CITATION.cff: how to cite this.
{more}"""

_CITATION = """\
cff-version: 1.2.0
message: Please cite hashbench if you use these numbers, and the papers in references.bib.
title: "Benchmark records of hashbench: {cells} cells"
type: dataset
authors:
  - name: The hashbench developers
version: "{version}"
license: Apache-2.0
keywords: [deep hashing, image retrieval, benchmark]
"""


def make_documents(
    records: Sequence[Record], registry: Registry, *, absent: int
) -> dict[str, bytes]:
    """Make the documents that go into a bundle beside the records, by file name.

    Args:
        records: All records, in a fixed order.
        registry: Gives the papers of components.
        absent: Number of artifacts left out.
    """
    fits = [record for record in records if isinstance(record, FitRecord)]
    used = [each for record in records for each in components_of(record)]
    entries, unknown = bibliography(used, registry)
    more = [f"Not installed where this was exported, so not cited: {', '.join(unknown)}.\n"] * (
        len(unknown) > 0
    )
    more += [f"{absent} artifacts were left out; manifest.json names them.\n"] * (absent > 0)
    versions = sorted({fit.environment.hashbench for fit in fits})
    cells = len({fit.fit_id for fit in fits})
    about = _README.format(cells=cells, records=len(records), more="".join(more))
    citation = _CITATION.format(cells=cells, version=", ".join(versions))
    return {
        "README.txt": about.encode(),
        "CITATION.cff": citation.encode(),
        "references.bib": "\n\n".join([*entries.values(), ""]).encode(),
        "matrix.json": _matrix(fits),
        **_constraints(fits),
    }


def _matrix(fits: Sequence[FitRecord]) -> bytes:
    """Every cell with all its settings, defaults and recipes included, as JSON."""
    documents = {fit.fit_id: fit.model_dump(mode="json")["cell"] for fit in fits}
    cells = [{"fit_id": fit_id, "cell": documents[fit_id]} for fit_id in sorted(documents)]
    text = json.dumps({"version": 1, "cells": cells}, indent=1, sort_keys=True)
    return text.encode() + b"\n"


def _constraints(fits: Sequence[FitRecord]) -> dict[str, bytes]:
    """One file of version constraints for each set of versions among the fits."""
    found: dict[str, list[str]] = {}
    for fit in fits:
        used = fit.environment
        lines = [f"{name}=={version}" for name, version in sorted(used.libraries.items())]
        text = "\n".join([f"# python {used.python}", f"hashbench=={used.hashbench}", *lines, ""])
        found.setdefault(text, []).append(fit.fit_id)
    return {
        f"constraints-{number}.txt": (
            "# fits: " + " ".join(sorted(set(found[text]))) + "\n" + text
        ).encode()
        for number, text in enumerate(sorted(found), start=1)
    }
