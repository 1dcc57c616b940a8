"""The endpoints of collections."""

from __future__ import annotations

import re
import shutil
import threading
from http import HTTPStatus
from typing import Any, Final

from hashbench.core.codes import Role
from hashbench.core.errors import StoreError
from hashbench.core.files import TEMPORARY_PREFIX
from hashbench.core.record import timestamp
from hashbench.serve.answers import Asked, distance_of, label_names, tie_groups, timing
from hashbench.serve.collection import ABOUT, About, Collection
from hashbench.serve.index import row_of, written_bits
from hashbench.serve.message import Request, Response
from hashbench.serve.models import LoadedMethod
from hashbench.serve.parameters import Parameters
from hashbench.serve.pictures import LARGEST_SIDE, SIDE
from hashbench.serve.refusal import Refusal
from hashbench.serve.service import Service
from hashbench.serve.shelf import Item
from hashbench.serve.upload import check_upload, small_png

FOLDER: Final = ".collections"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_NAME: Final = 200
_MOST_LISTED: Final = 1000
_BEYOND: Final = 10**9


class CollectionsService:
    """What a worker knows of a store's collections.

    Args:
        service: The store, its methods, and what is in memory.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._folder = service.root / FOLDER
        self._open: dict[str, Collection] = {}
        self._lock = threading.Lock()

    def listing(self, request: Request) -> Response:
        """All collections."""
        Parameters(request.parameters, ())
        names = sorted(path.parent.name for path in self._folder.glob(f"[!.]*/{ABOUT}"))
        return Response.of({"collections": [_about(self._collection(name)) for name in names]})

    def create(self, request: Request) -> Response:
        """Make one, empty or with the codes that the fit has of its database."""
        given = Parameters(request.parameters, ("name", "method", "start"))
        name, start = given.text("name"), given.text("start", "empty")
        if not _NAME.fullmatch(name):
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "name: expected at most 64 letters, digits, '-' and '_'"
            )
        if start not in ("empty", Role.DATABASE):
            raise Refusal(HTTPStatus.BAD_REQUEST, "start: expected empty or database")
        method = self._service.models.get(self._service.offers.find(given.text("method")).fit)
        fit = method.fit
        about = About(name, fit.fit_id, fit.record_id, fit.cell.bits, timestamp())
        with self._lock:
            made = Collection.create(self._folder / name, about)
            if start == Role.DATABASE:
                dataset = fit.cell.data.name
                named = [f"{dataset}[{place}]" for place in method.encoder.database]
                made.add(method.encoded.database, named, database=True)
            self._open[name] = made
        return Response.of(_about(made), HTTPStatus.CREATED)

    def collection(self, request: Request, name: str) -> Response:
        """One collection, and a part of its images."""
        given = Parameters(request.parameters, ("start", "count"))
        start = given.number("start", 0, low=0, high=_BEYOND)
        count = given.number("count", 100, low=1, high=_MOST_LISTED)
        found = self._collection(name)
        part = found.items()[start : start + count]
        listed = [{"id": i.id, "name": i.name, "thumbnail": _picture(name, i)} for i in part]
        return Response.of({**_about(found), "start": start, "listed": listed})

    def delete(self, request: Request, name: str) -> Response:
        """Remove a collection with all that it holds."""
        Parameters(request.parameters, ())
        found = self._collection(name)
        aside = found.folder.with_name(f"{TEMPORARY_PREFIX}{name}")
        with self._lock:
            self._open.pop(name, None)
            try:
                shutil.rmtree(aside, ignore_errors=True)
                found.folder.rename(aside)
            except OSError as error:
                raise StoreError(f"cannot remove {found.folder}: {error.strerror}") from None
            shutil.rmtree(aside, ignore_errors=True)
        return Response.of({"deleted": name})

    def add(self, request: Request, name: str) -> Response:
        """Encode an image that is sent, and add it."""
        given = Parameters(request.parameters, ("name",))
        called = given.text("name", "image")
        if len(called) > _LONGEST_NAME or not called.isprintable():
            raise Refusal(
                HTTPStatus.BAD_REQUEST,
                f"name: expected at most {_LONGEST_NAME} characters that can be printed",
            )
        found = self._collection(name)
        check_upload(request.body)
        sent = self._service.models.encode(self._method(found), request.body)
        picture = self._service.models.small(small_png, request.body)
        (number,) = found.add(sent.code, [called], thumbnail=picture)
        said = {"id": number, "name": called, "code": written_bits(sent.code)}
        return Response.of({**said, "images": len(found)}, HTTPStatus.CREATED)

    def remove(self, request: Request, name: str, index: str) -> Response:
        """Take an image out."""
        Parameters(request.parameters, ())
        found = self._collection(name)
        found.remove(int(index))
        return Response.of({"deleted": int(index), "images": len(found)})

    def picture(self, request: Request, name: str, index: str) -> Response:
        """A small picture of an image."""
        side = Parameters(request.parameters, ("side",)).number(
            "side", SIDE, low=8, high=LARGEST_SIDE
        )
        found = self._collection(name)
        kept, item = found.thumbnail(int(index)), found.item(int(index))
        if kept is None and item.database is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"image {item.id} has no thumbnail")
        if kept is None:
            fit, pictures = self._method(found).fit, self._service.pictures
            kept = pictures.thumbnail(fit, Role.DATABASE, item.database or 0, side=side)
        return Response(HTTPStatus.OK, kept, "image/png")

    def search(self, request: Request, name: str) -> Response:
        """The nearest of a collection to an image that is sent, or to one of its own."""
        own = () if request.verb == "POST" else ("image",)
        given = Parameters(request.parameters, ("k", "engine", *own))
        k, engine = self._service.wanted(given)
        found = self._collection(name)
        method = self._method(found)
        asked = self._asked(request, given, found, method)
        return Response.of(_answer(found, asked, method, k=k, engine=engine))

    def _asked(
        self, request: Request, given: Parameters, found: Collection, method: LoadedMethod
    ) -> Asked:
        if request.verb == "POST":
            return self._service.asked(request, given, method)
        number = given.number("image", low=0, high=_BEYOND)
        found.item(number)
        index, items = found.index()
        at = items.position(number)
        if at is None:  # removed just now
            raise Refusal(HTTPStatus.NOT_FOUND, "the collection changed; ask again")
        return Asked(row_of(index.database, at), "image", number)

    def _method(self, found: Collection) -> LoadedMethod:
        about = found.about
        try:
            return self._service.models.get(self._service.offers.find(about.fit_record).fit)
        except Refusal:
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"collection '{about.name}': record {about.fit_record} of {about.fit_id}, whose "
                f"codes it holds, is no longer offered; make the collection again",
            ) from None

    def _collection(self, name: str) -> Collection:
        with self._lock:
            if not _NAME.fullmatch(name) or not (self._folder / name / ABOUT).is_file():
                self._open.pop(name, None)
                raise Refusal(HTTPStatus.NOT_FOUND, f"collection '{name[:64]}': there is none")
            if name not in self._open:
                self._open[name] = Collection(self._folder / name)
            return self._open[name]


def _about(collection: Collection) -> dict[str, Any]:
    about = collection.about
    return {
        "name": about.name,
        "method": about.fit_id,
        "record": about.fit_record,
        "bits": about.bits,
        "created": about.created,
        "images": len(collection),
    }


def _answer(
    found: Collection, asked: Asked, method: LoadedMethod, *, k: int, engine: str
) -> dict[str, Any]:
    index, items = found.index()
    near = index.search(asked.code, k, engine=engine)
    ties, tie_of = tie_groups(index, asked.code, near)
    classes, labels = method.encoder.classes, method.encoded.database_labels
    results = []
    for rank, at in enumerate(near.ids, start=1):
        item = items[at]
        known = None if item.database is None else label_names(labels[item.database], classes)
        results.append(
            {
                "rank": rank,
                "id": item.id,
                "name": item.name,
                "distance": distance_of(asked.code, near.distances[rank - 1]),
                "tie": tie_of[rank - 1],
                "labels": known,
                "itself": asked.index == item.id,
                "code": written_bits(index.database, int(at)),
                "thumbnail": _picture(found.about.name, item),
            }
        )
    name = found.about.name
    query = {
        "kind": asked.kind,
        "id": asked.index,
        "code": written_bits(asked.code),
        "thumbnail": None if asked.index is None else _address(name, asked.index),
    }
    return {
        "collection": _about(found),
        "query": query,
        "k": k,
        **timing(near, asked),
        "ties": ties,
        "results": results,
    }


def _picture(name: str, item: Item) -> str:
    return _address(name, item.id)


def _address(name: str, number: int) -> str:
    return f"/v1/collections/{name}/images/{number}"
