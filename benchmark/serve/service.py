"""The endpoints that read: methods, searches, comparisons, thumbnails."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hashbench.core.codes import Role
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Kind, registry
from hashbench.serve.answers import UPLOAD, Asked, about, answer, label_names, thumbnail_path
from hashbench.serve.index import EXACT
from hashbench.serve.message import Request, Response
from hashbench.serve.models import LoadedMethod, Models
from hashbench.serve.offers import Offer, Offers
from hashbench.serve.parameters import Parameters
from hashbench.serve.pictures import LARGEST_SIDE, SIDE, Pictures
from hashbench.serve.refusal import Refusal, refusal_of
from hashbench.serve.upload import check_upload, small_png
from hashbench.version import VERSION

MOST_NEIGHBOURS: Final = 1000
_USUAL_NEIGHBOURS: Final = 10
_MOST_LISTED: Final = 1000
_USUAL_LISTED: Final = 100
_BEYOND: Final = 10**9  # above any place in a list
_COMPARED: Final = 2


@dataclass(frozen=True, slots=True)
class Service:
    """What a worker knows.

    Attributes:
        root: The store's folder.
        offers: What can be searched.
        models: What is in memory.
        pictures: Where thumbnails come from.
        engine: The engine that searches where a request names none.
        started: Monotonic seconds.
    """

    root: Path
    offers: Offers
    models: Models
    pictures: Pictures
    engine: str = EXACT
    started: float = field(default_factory=time.monotonic)

    def health(self, request: Request) -> Response:
        """Whether the worker works, and on what."""
        Parameters(request.parameters, ())
        offers = self._offers()
        return Response.of(
            {
                "status": "ok",
                "hashbench": VERSION,
                "store": str(self.root),
                "pid": os.getpid(),
                "uptime_seconds": round(time.monotonic() - self.started, 3),
                "methods": len(offers),
                "loaded": self.models.names(),
                "problems": self.offers.problems(),
            }
        )

    def methods(self, request: Request) -> Response:
        """All methods of the store that can be searched."""
        Parameters(request.parameters, ())
        loaded = set(self.models.names())
        offers = self._offers()
        return Response.of(
            {
                "methods": [about(o, loaded=o.fit.record_id in loaded) for o in offers],
                "problems": self.offers.problems(),
            }
        )

    def method(self, request: Request, word: str) -> Response:
        """One of them, with the names of its classes; it is loaded for that."""
        Parameters(request.parameters, ())
        offer = self.offers.find(word)
        method = self.models.get(offer.fit)
        return Response.of({**about(offer, loaded=True), "classes": list(method.encoder.classes)})

    def engines(self, request: Request) -> Response:
        """The search engines, and why one cannot run here."""
        Parameters(request.parameters, ())
        names = registry().names(Kind.ENGINE)
        missing = {name: _missing(name) for name in names}
        listed = [{"name": name, "missing": missing[name]} for name in names]
        return Response.of({"engines": listed, "default": self.engine})

    def reload(self, request: Request) -> Response:
        """Read the whole store again; it is noticed without this when something in it changes."""
        Parameters(request.parameters, ())
        self.offers.forget()
        return Response.of({"methods": len(self._offers())})

    def queries(self, request: Request, word: str) -> Response:
        """A part of a method's query list, to pick one from."""
        given = Parameters(request.parameters, ("start", "count"))
        start = given.number("start", 0, low=0, high=_BEYOND)
        count = given.number("count", _USUAL_LISTED, low=1, high=_MOST_LISTED)
        method = self.models.get(self.offers.find(word).fit)
        labels = method.encoded.query_labels
        rows = range(start, min(start + count, len(labels)))
        listed = [
            {
                "index": row,
                "labels": label_names(labels[row], method.encoder.classes),
                "thumbnail": thumbnail_path(method.fit.fit_id, Role.QUERY, row),
            }
            for row in rows
        ]
        return Response.of({"queries": listed, "start": start, "total": len(labels)})

    def thumbnail(self, request: Request, word: str, role: str, index: str) -> Response:
        """A small picture of a query or a database image."""
        given = Parameters(request.parameters, ("side",))
        side = given.number("side", SIDE, low=8, high=LARGEST_SIDE)
        fit = self.offers.find(word).fit
        picture = self.pictures.thumbnail(fit, Role(role), int(index), side=side)
        return Response(HTTPStatus.OK, picture, "image/png")

    def small(self, request: Request) -> Response:
        """A small picture of an image that is sent, to be shown beside what it finds."""
        Parameters(request.parameters, ())
        check_upload(request.body)
        return Response(HTTPStatus.OK, self.models.small(small_png, request.body), "image/png")

    def search(self, request: Request, word: str) -> Response:
        """The nearest of a method's database to an image that is sent or one of its own."""
        given = Parameters(request.parameters, ("k", "engine", *_own_images(request)))
        k, engine = self.wanted(given)
        method = self.models.get(self.offers.find(word).fit)
        said, _ = answer(method, self.asked(request, given, method), k=k, engine=engine)
        return Response.of(said)

    def compare(self, request: Request) -> Response:
        """One query, answered by two methods."""
        given = Parameters(request.parameters, ("methods", "k", "engine", *_own_images(request)))
        k, engine = self.wanted(given)
        words = given.text("methods").split(",")
        if len(words) != _COMPARED:
            raise Refusal(HTTPStatus.BAD_REQUEST, "methods: expected two ids, ID,ID")
        one, two = (self.offers.find(word) for word in words)
        if request.verb == "GET":
            _check_same_list(one, two, Role.QUERY if "query" in given else Role.DATABASE)
        answers, places = [], []
        for offer in (one, two):
            method = self.models.get(offer.fit)
            said, found = answer(method, self.asked(request, given, method), k=k, engine=engine)
            answers.append(said)
            places.append(found)
        return Response.of({"answers": answers, "shared": _shared(one, two, places)})

    def wanted(self, given: Parameters) -> tuple[int, str]:
        """How many neighbours are asked for, and of which engine.

        Raises:
            Refusal: 400 if the number is none, 422 if there is no such engine here.
        """
        engine = given.text("engine", self.engine)
        try:
            missing = _missing(engine)
        except ConfigError as error:
            raise refusal_of(error) from None
        if missing:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, missing)
        return given.number("k", _USUAL_NEIGHBOURS, low=1, high=MOST_NEIGHBOURS), engine

    def asked(self, request: Request, given: Parameters, method: LoadedMethod) -> Asked:
        """The query of a request.

        Raises:
            Refusal: 400, 404, 413 or 415 if it is none.
            DataError: If it cannot be decoded or encoded.
        """
        if request.verb == "POST":
            check_upload(request.body)
            sent = self.models.encode(method, request.body)
            return Asked(sent.code, UPLOAD, None, None, sent.decode_ms, sent.encode_ms)
        if ("query" in given) == ("database" in given):
            raise Refusal(
                HTTPStatus.BAD_REQUEST,
                "search: name one image, query=INDEX or database=INDEX, or POST an image file",
            )
        role = Role.QUERY if "query" in given else Role.DATABASE
        index = given.number(role, low=0, high=_BEYOND)
        size = len(method.encoded.query if role is Role.QUERY else method.encoded.database)
        if index >= size:
            raise Refusal(HTTPStatus.NOT_FOUND, f"{role}={index}: there are {size}, counted from 0")
        return Asked.stored(method, role, index)

    def _offers(self) -> list[Offer]:
        offers = self.offers.all()
        self.models.keep_only([offer.fit.record_id for offer in offers])
        return offers


def _own_images(request: Request) -> tuple[str, ...]:
    return () if request.verb == "POST" else (Role.QUERY, Role.DATABASE)


def _missing(engine: str) -> str | None:
    missing: str | None = registry().load(Kind.ENGINE, engine).available()
    return missing


def _check_same_list(one: Offer, two: Offer, role: Role) -> None:
    """Refuse an index that means another image in each of two methods' lists."""
    if _list_of(one, role) != _list_of(two, role):
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"compare: {one.fit.fit_id} and {two.fit.fit_id} have another {role} list each, so an "
            f"index means two images; POST an image file instead",
        )


def _list_of(offer: Offer, role: Role) -> tuple[str, str | None, str | None]:
    checksums = offer.fit.data.checksums if offer.fit.data else {}
    return offer.fit.cell.data.name, checksums.get("pixels"), checksums.get(role)


def _shared(one: Offer, two: Offer, places: list[NDArray[np.int64]]) -> dict[str, Any] | None:
    """How many images both found; None where their databases are of two datasets."""
    if _list_of(one, Role.QUERY)[:2] != _list_of(two, Role.QUERY)[:2]:
        return None
    both = np.intersect1d(places[0], places[1])
    return {"images": len(both), "positions": both.tolist()}
