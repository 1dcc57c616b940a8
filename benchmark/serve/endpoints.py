"""The endpoints of version 1, by path."""

from __future__ import annotations

from hashbench.serve.collections_service import CollectionsService
from hashbench.serve.listings import Listings
from hashbench.serve.routes import Route, Routes
from hashbench.serve.service import Service

_C = "/v1/collections"
_GET = ("GET",)
_POST = ("POST",)
_DELETE = ("DELETE",)
_BOTH = ("GET", "POST")


def endpoints(service: Service) -> Routes:
    """All that a worker answers.

    Args:
        service: What it knows.
    """
    listings = Listings(service, service.pictures.root)
    collections = CollectionsService(service)
    return Routes([*_reading(service), *_listing(listings), *_of_collections(collections)])


def _reading(service: Service) -> list[Route]:
    return [
        Route(_GET, "/v1/health", service.health, "Whether the worker works, and on what."),
        Route(_GET, "/v1/methods", service.methods, "Methods that can be searched."),
        Route(_GET, "/v1/methods/{word}", service.method, "One method and its classes."),
        Route(
            _GET,
            "/v1/methods/{word}/queries",
            service.queries,
            "Its query list, a part at a time.",
            "start count",
        ),
        Route(
            _BOTH,
            "/v1/methods/{word}/search",
            service.search,
            "The nearest of its database to one of its own images, or to the image posted.",
            "k engine query database",
        ),
        Route(
            _GET,
            "/v1/methods/{word}/thumbnails/{role}/{index}",
            service.thumbnail,
            "A PNG of an image of its query list or database.",
            "side",
        ),
        Route(
            _BOTH,
            "/v1/compare",
            service.compare,
            "The same query answered by two methods.",
            "methods k engine query database",
        ),
        Route(_POST, "/v1/thumbnail", service.small, "A PNG of the image posted, made small."),
        Route(_GET, "/v1/engines", service.engines, "Search engines, and what they miss."),
        Route(_POST, "/v1/reload", service.reload, "Read the whole store again."),
    ]


def _listing(listings: Listings) -> list[Route]:
    return [
        Route(_GET, "/v1/datasets", listings.datasets, "Datasets and their protocols."),
        Route(_GET, "/v1/runs", listings.runs, "The store's runs.", "start count"),
    ]


def _of_collections(service: CollectionsService) -> list[Route]:
    return [
        Route(_GET, _C, service.listing, "The collections of the store."),
        Route(_POST, _C, service.create, "Make one.", "name method start"),
        Route(_GET, f"{_C}/{{name}}", service.collection, "One of them.", "start count"),
        Route(_DELETE, f"{_C}/{{name}}", service.delete, "Remove it."),
        Route(_POST, f"{_C}/{{name}}/images", service.add, "Add the image posted.", "name"),
        Route(_GET, f"{_C}/{{name}}/images/{{index}}", service.picture, "A PNG of one.", "side"),
        Route(_DELETE, f"{_C}/{{name}}/images/{{index}}", service.remove, "Take one out."),
        Route(
            _BOTH,
            f"{_C}/{{name}}/search",
            service.search,
            "The nearest of a collection to one of its own images, or to the image posted.",
            "k engine image",
        ),
    ]
