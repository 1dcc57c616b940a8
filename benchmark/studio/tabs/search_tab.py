"""The tab where trained methods, and collections of one's own, are searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import gradio as gr
from gradio.context import Context

from hashbench.core.errors import HashbenchError
from hashbench.core.registry import Kind, registry
from hashbench.serve.client import Client
from hashbench.serve.index import EXACT
from hashbench.serve.offers import Offer, Offers
from hashbench.store.store import Store
from hashbench.studio.context import StudioContext
from hashbench.studio.menu import menu
from hashbench.studio.tabs import collections_panel
from hashbench.studio.tabs.search_questions import Shown, fetch, gallery, read_upload, search
from hashbench.studio.tabs.search_view import compared_html, found_html, problem, refused, style
from hashbench.studio.thumbnails import thumbnails
from hashbench.studio.worker_link import WorkerLink

PAGE: Final = 24
MOST_SHOWN: Final = 60
_QUERY: Final = "query"
_UPLOAD: Final = "upload"
_NO_OTHER: Final = ("no other", "")
_NOTHING: Final = (
    "There is no method to search with yet. Train one with its model kept (in a matrix: execute: "
    "{keep_model: true}); it appears here by itself."
)

_CHOOSE: Final = "Choose a method first; 'Look for new methods' reads the store again."


def fill(context: StudioContext) -> None:
    """Make the tab; called inside it.

    Args:
        context: What the page was started with.
    """
    handlers = SearchHandlers(context)
    opened = Context.block
    gr.HTML(style(), elem_classes="hb-style")
    with gr.Tabs(elem_id="search-parts"):
        with gr.Tab("Trained methods", id="search-methods", elem_id="tab-search-methods"):
            _fill_methods(handlers, opened)
        with gr.Tab("My collections", id="search-own", elem_id="tab-search-collections") as own:
            collections_panel.fill(context, handlers.link, handlers.methods, own)


class SearchHandlers:
    """The handlers of the tab.

    Args:
        context: What the page was started with.
    """

    def __init__(self, context: StudioContext) -> None:
        self.link = WorkerLink(context)
        self._offers = Offers(Store.open(context.store))

    def methods(self) -> list[tuple[str, str]]:
        """Title and id of everything that can be searched now, the best first."""
        offers = self._offers.all()
        best = sorted(offers, key=lambda offer: (offer.fit.cell.data.label, -_quality(offer)))
        return [(_title(offer), offer.fit.fit_id) for offer in best]

    def opened(self, method: str | None, other: str | None) -> tuple[Any, ...]:
        """What can be chosen, as the store is now; what was chosen stays where it can."""
        try:
            methods = self.methods()
        except HashbenchError as error:
            return gr.update(), gr.update(), gr.update(), refused(error)
        ids = [fit_id for _, fit_id in methods]
        chosen = method if method in ids else next(iter(ids), None)
        rival = other if other in ids else ""
        return (
            gr.update(choices=methods, value=chosen),
            gr.update(choices=[_NO_OTHER, *methods], value=rival),
            gr.update(choices=_engines()),
            "" if ids else problem(_NOTHING),
        )

    def queries(self, method: str | None, page: float | None) -> tuple[Shown, Any, Any]:
        """A page of a method's query list."""
        if not method:
            return [], gr.skip(), gr.skip()
        start = (max(1, int(page or 1)) - 1) * PAGE

        def ask(client: Client) -> tuple[Shown, dict[str, Any], bool]:
            said = client.get(f"methods/{method}/queries", start=start, count=PAGE)
            if not said["queries"]:  # a page that another method's longer list had
                said = client.get(f"methods/{method}/queries", start=0, count=PAGE)
            named = [
                (each["thumbnail"], f"{each['index']}: {', '.join(each['labels']) or 'no label'}")
                for each in said["queries"]
            ]
            pictures = fetch(client, [name for name, _ in named])
            return gallery(pictures, named), said, bool(pictures) or not named

        try:
            shown, said, pictured = self.link.ask(ask)
        except HashbenchError as error:
            return [], gr.update(), refused(error)
        pages = max(1, -(-said["total"] // PAGE))
        label = f"Page of the query list, 1 to {pages} ({said['total']:,} queries)"
        why = "" if pictured else "The images of this dataset are not in the data roots of the page"
        there = said["start"] // PAGE + 1
        return shown, gr.update(label=label, maximum=pages, value=there), problem(why)

    def by_query(
        self, method: str, query: float | None, k: float, engine: str, other: str
    ) -> tuple[str, str, str]:
        """Search with an image of the query list."""
        words: dict[str, str | int] = {"query": int(query or 0)}
        return (*self._search(method, None, k, engine=engine, other=other, words=words), _QUERY)

    def by_upload(
        self, method: str, upload: str | None, k: float, engine: str, other: str
    ) -> tuple[str, str, str]:
        """Search with an image that was sent."""
        try:
            image = read_upload(upload)
        except HashbenchError as error:
            return "", refused(error), ""
        return (*self._search(method, image, k, engine=engine, other=other, words={}), _UPLOAD)

    def again(
        self,
        last: str,
        method: str,
        query: float | None,
        upload: str | None,
        *settings: Any,
    ) -> tuple[Any, Any, Any]:
        """Search once more, as the last time; what was said of a search that failed stays."""
        if last == _QUERY:
            return self.by_query(method, query, *settings)
        if last == _UPLOAD and upload:
            return self.by_upload(method, upload, *settings)
        return gr.skip(), gr.skip(), gr.skip()

    def _search(
        self,
        method: str,
        image: bytes | None,
        k: float,
        *,
        engine: str,
        other: str,
        words: dict[str, str | int],
    ) -> tuple[str, str]:
        if not method:
            return "", problem(_CHOOSE)
        asked = {"k": int(k), "engine": engine or EXACT, **words}
        two = bool(other) and other != method
        path = ("compare",) if two else ("methods", method, "search")
        if two:
            asked["methods"] = f"{method},{other}"
        try:
            said, pictures = self.link.ask(lambda client: search(client, path, image, **asked))
        except HashbenchError as error:
            return "", refused(error)
        return (compared_html if two else found_html)(said, pictures), ""


def _quality(offer: Offer) -> float:
    return max(
        (value for name, value in offer.metrics.items() if name.startswith("map@")), default=0
    )


def _title(offer: Offer) -> str:
    cell = offer.fit.cell
    maps = [f"mAP {v:.4f}" for name, v in offer.metrics.items() if name.startswith("map@")]
    bits = cell.bits_label if cell.bits is None else f"{cell.bits} bits"
    parts = [cell.method_label, bits, f"seed {cell.seed}", cell.data.label, *maps[:1]]
    return ", ".join(parts)


def _engines() -> list[str]:
    names = registry().names(Kind.ENGINE)
    return [name for name in names if registry().load(Kind.ENGINE, name).available() is None]


def _fill_methods(handlers: SearchHandlers, opened: Any) -> None:
    with gr.Row():
        method = menu(label="Method", choices=[], elem_id="search-method", scale=3)
        other = menu(
            label="Compare with", choices=[_NO_OTHER], value="", elem_id="search-other", scale=3
        )
        engine = menu(
            label="Engine", choices=[EXACT], value=EXACT, elem_id="search-engine", min_width=120
        )
        k = gr.Slider(
            1,
            MOST_SHOWN,
            10,
            step=1,
            label="Nearest images shown",
            elem_id="search-k",
            min_width=240,
        )
    offered = gr.HTML(elem_id="search-offered")
    with gr.Tabs(elem_id="search-sources"):
        with gr.Tab("Pick a query", elem_id="tab-search-pick"):
            shown = thumbnails("Query list: choose an image to search with it", "search-queries")
            with gr.Row():
                page = gr.Number(
                    1, label="Page of the query list", minimum=1, precision=0, elem_id="search-page"
                )
                query = gr.Number(
                    0, label="Query number", minimum=0, precision=0, elem_id="search-query"
                )
                pick = gr.Button("Search with this query", elem_id="search-by-query")
        with gr.Tab("Upload an image", elem_id="tab-search-upload"):
            upload = gr.File(label="An image of yours", elem_id="search-upload", height=140)
            send = gr.Button("Search with this image", elem_id="search-by-upload")
    status = gr.HTML(elem_id="search-status")
    results = gr.HTML(elem_id="search-results")
    last = gr.Textbox(visible=False, elem_id="search-last")
    refresh = gr.Button("Look for new methods", elem_id="search-refresh", size="sm")

    found = [results, status, last]
    settings = [k, engine, other]
    every: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 4}
    quick: dict[str, Any] = {**every, "show_progress": "hidden"}
    triggers = [refresh.click, *_selected(opened)]
    gr.on(triggers, handlers.opened, [method, other], [method, other, engine, offered], **quick)
    gr.on(
        [method.change, page.change],
        handlers.queries,
        [method, page],
        [shown, page, offered],
        **every,
    )
    gr.on([pick.click, query.submit], handlers.by_query, [method, query, *settings], found, **every)
    shown.select(_picked, [page], [query], **quick).then(
        handlers.by_query, [method, query, *settings], found, **every
    )
    gr.on(
        [send.click, upload.upload],
        handlers.by_upload,
        [method, upload, *settings],
        found,
        **every,
    )
    changed: list[Callable[..., Any]] = [method.input, other.input, engine.input, k.release]
    gr.on(changed, handlers.again, [last, method, query, upload, *settings], found, **every)


def _picked(event: gr.SelectData, page: float | None) -> int:
    return (max(1, int(page or 1)) - 1) * PAGE + int(event.index)


def _selected(tab: Any) -> list[Callable[..., Any]]:
    """What tells that a tab was opened; nothing where this is not inside one."""
    return [tab.select] if isinstance(tab, gr.Tab) else []
