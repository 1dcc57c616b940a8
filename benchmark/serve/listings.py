"""The endpoints that list: what datasets there are, and what runs the store has."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from hashbench.core.errors import DamagedStoreError, HashbenchError
from hashbench.core.record import FitRecord
from hashbench.core.registry import Kind, registry
from hashbench.datasets.protocols.protocol import ProtocolSpec, load_protocol, protocol_names
from hashbench.datasets.roots import IMPORTED, data_root, imported_folders
from hashbench.serve.message import Request, Response
from hashbench.serve.parameters import Parameters
from hashbench.serve.service import Service
from hashbench.store.catalogue import CellResults, read_cell

_MOST_LISTED: Final = 1000
_USUAL_LISTED: Final = 100
_BEYOND: Final = 10**9


class Listings:
    """What a worker lists of datasets and runs; all of it is read when it is asked for.

    Args:
        service: The store, and what of it can be searched.
        data_root: The user's data root, if one was named.
    """

    def __init__(self, service: Service, data_root: Path | None) -> None:
        self._service, self._data_root = service, data_root

    def datasets(self, request: Request) -> Response:
        """Datasets by name, with their protocols."""
        Parameters(request.parameters, ())
        protocols: defaultdict[str, list[ProtocolSpec]] = defaultdict(list)
        problems = []
        for name in protocol_names():
            try:
                spec = load_protocol(name)
                protocols[spec.dataset].append(spec)
            except HashbenchError as error:
                problems.append(_line(error))
        names = [name for name in registry().names(Kind.DATASET) if "*" not in name]
        names += sorted(f"{IMPORTED}/{name}" for name in imported_folders())
        listed = [_dataset(name, protocols[name], self._data_root) for name in names]
        return Response.of({"datasets": listed, "problems": problems})

    def runs(self, request: Request) -> Response:
        """A part of the store's cells, each with its newest good fit or its last failure."""
        given = Parameters(request.parameters, ("start", "count"))
        start = given.number("start", 0, low=0, high=_BEYOND)
        count = given.number("count", _USUAL_LISTED, low=1, high=_MOST_LISTED)
        store = self._service.offers.store
        ids = sorted(store.fit_ids())
        offered = {offer.fit.record_id for offer in self._service.offers.all()}
        listed, problems = [], []
        for fit_id in ids[start : start + count]:
            try:
                found = read_cell(store, fit_id)
            except DamagedStoreError as error:
                problems.append(_line(error))
                continue
            if found.fit is not None:
                listed.append(_run(found, found.fit, offered))
        return Response.of(
            {"runs": listed, "start": start, "total": len(ids), "problems": problems}
        )


def _dataset(name: str, specs: list[ProtocolSpec], root: Path | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": name,
        "title": "",
        "imported": name.startswith(f"{IMPORTED}/"),
        "here": None,
        "protocols": [{"name": spec.name, "sizes": dict(spec.sizes)} for spec in specs],
        "problem": None,
    }
    try:
        component = registry().load(Kind.DATASET, name)
        said |= {"title": component.info.title, "here": component().is_here(data_root(root))}
    except HashbenchError as error:
        said["problem"] = _line(error)
    return said


def _run(found: CellResults, fit: FitRecord, offered: set[str]) -> dict[str, Any]:
    cell = fit.cell
    return {
        "id": found.fit_id,
        "record": fit.record_id,
        "name": str(cell),
        "status": str(fit.status),
        "error": fit.error.message.splitlines()[0] if fit.error and fit.error.message else None,
        "dataset": cell.data.name,
        "protocol": cell.data.label,
        "method": cell.method_label,
        "bits": cell.bits,
        "seed": cell.seed,
        "device": fit.environment.device.name,
        "started": fit.started,
        "finished": fit.finished,
        "metrics": {name: entry.value for name, (entry, _) in found.metrics().items()},
        "latencies": len(found.latencies),
        "searchable": fit.record_id in offered,
    }


def _line(error: HashbenchError) -> str:
    return str(error).splitlines()[0]
