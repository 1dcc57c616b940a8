"""Collections of one's own: made, filled, searched, and emptied again, without training anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import gradio as gr

from hashbench.core.errors import HashbenchError
from hashbench.serve.client import Client
from hashbench.studio.context import StudioContext
from hashbench.studio.menu import menu
from hashbench.studio.tabs.adding import Adding
from hashbench.studio.tabs.search_questions import Shown, fetch, gallery, read_upload, search
from hashbench.studio.tabs.search_view import done, found_html, problem, refused
from hashbench.studio.tabs.sent_images import sent_images
from hashbench.studio.thumbnails import thumbnails
from hashbench.studio.worker_link import WorkerLink

PAGE: Final = 24
_EMPTY: Final = "There is no collection yet; make one below."

Choices = Callable[[], list[tuple[str, str]]]


class CollectionHandlers:
    """What the controls of the panel do; each gives the panel's outputs as text and updates.

    Args:
        context: For the limits.
        link: To the worker.
        methods: Titles and ids of the methods that can encode.
    """

    def __init__(self, context: StudioContext, link: WorkerLink, methods: Choices) -> None:
        self._limits, self._link, self._methods = context.limits, link, methods
        self._adding: Adding | None = None  # the last that was begun

    def opened(self, chosen: str | None, method: str | None) -> tuple[Any, Any, str]:
        """The collections and methods as they are now; what was chosen stays where it can."""
        try:
            update, count = self._listed(chosen)
            methods = self._methods()
        except HashbenchError as error:
            return gr.update(), gr.update(), refused(error)
        ids = [fit_id for _, fit_id in methods]
        kept = method if method in ids else next(iter(ids), None)
        said = "" if count else done(_EMPTY)
        if self._adding is not None and not self._adding.over:
            said = self._adding.said()
        return update, gr.update(choices=methods, value=kept), said

    def create(self, name: str, method: str | None, start: bool) -> tuple[Any, str]:
        """Make a collection, and choose it."""
        if not method:
            return gr.update(), problem("There is no method yet that could encode its images.")
        called, begin = name.strip(), _START[bool(start)]
        try:
            made = self._link.ask(
                lambda client: client.post("collections", name=called, method=method, start=begin)
            )
            update, _ = self._listed(made["name"])
        except HashbenchError as error:
            return gr.update(), refused(error)
        return update, done(f"collection {made['name']}: made, {made['images']:,} images")

    def delete(self, name: str | None) -> tuple[Any, str]:
        """Remove a collection."""
        if not name:
            return gr.update(), problem("Choose a collection first.")
        try:
            self._link.ask(lambda client: client.delete(f"collections/{name}"))
            update, _ = self._listed(None)
        except HashbenchError as error:
            return gr.update(), refused(error)
        return update, done(f"collection {name}: removed")

    def shown(self, name: str | None, page: float | None) -> tuple[Shown, Any, Any]:
        """A page of a collection's images."""
        if not name:
            return [], gr.skip(), gr.skip()
        start = (max(1, int(page or 1)) - 1) * PAGE

        def ask(client: Client) -> tuple[Shown, dict[str, Any]]:
            said = client.get(f"collections/{name}", start=start, count=PAGE)
            if not said["listed"]:
                said = client.get(f"collections/{name}", start=0, count=PAGE)
            named = [
                (each["thumbnail"], f"{each['id']}: {each['name']}") for each in said["listed"]
            ]
            return gallery(fetch(client, [path for path, _ in named]), named), said

        try:
            shown, said = self._link.ask(ask)
        except HashbenchError as error:
            return [], gr.update(), refused(error)
        pages = max(1, -(-said["images"] // PAGE))
        label = f"Page, 1 to {pages} ({said['images']:,} images)"
        there = said["start"] // PAGE + 1
        return shown, gr.update(label=label, maximum=pages, value=there), gr.skip()

    def add(self, name: str | None, files: list[str] | None) -> Iterator[str]:
        """Add what was sent, and say how far it is for as long as somebody listens."""
        if not name or not files:
            yield problem("Choose a collection and files first.")
            return
        sent = sent_images([Path(file) for file in files], self._limits)
        self._adding = Adding(name, sent, partial(self._added, name))
        yield from self._adding.follow()

    def remove(self, name: str | None, image: float | None) -> str:
        """Take an image out."""
        if not name or image is None:
            return problem("Choose an image first.")
        number = int(image)
        try:
            left = self._link.ask(lambda c: c.delete(f"collections/{name}/images/{number}"))
        except HashbenchError as error:
            return refused(error)
        return done(f"image {number}: removed; {left['images']:,} are left")

    def by_image(self, name: str | None, image: float | None, k: float) -> tuple[str, str]:
        """Search with one of the collection's own images."""
        if image is None:
            return "", problem("Choose an image first.")
        return self._search(name, None, k=int(k), image=int(image))

    def by_upload(self, name: str | None, upload: str | None, k: float) -> tuple[str, str]:
        """Search with an image that was sent."""
        try:
            sent = read_upload(upload)
        except HashbenchError as error:
            return "", refused(error)
        return self._search(name, sent, k=int(k))

    def _search(self, name: str | None, sent: bytes | None, **words: int) -> tuple[str, str]:
        if not name:
            return "", problem("Choose a collection first.")
        path = ("collections", name, "search")
        try:
            said, pictures = self._link.ask(lambda client: search(client, path, sent, **words))
        except HashbenchError as error:
            return "", refused(error)
        return found_html(said, pictures), ""

    def _added(self, name: str, called: str, data: bytes) -> str:
        """Add one image; why not, if it cannot be."""
        path = f"collections/{name}/images"
        try:
            self._link.ask(lambda client: client.post(path, data, name=called))
        except HashbenchError as error:
            return str(error).split("\n", maxsplit=1)[0]
        return ""

    def _listed(self, chosen: str | None) -> tuple[Any, int]:
        listed = self._link.ask(lambda client: client.get("collections"))["collections"]
        names = [each["name"] for each in listed]
        value = chosen if chosen in names else next(iter(names), None)
        return gr.update(choices=names, value=value), len(names)


_START: Final = {True: "database", False: "empty"}


def fill(context: StudioContext, link: WorkerLink, methods: Choices, tab: gr.Tab) -> None:
    """Make the panel; called inside its tab.

    Args:
        context: What the page was started with.
        link: To the worker.
        methods: Titles and ids of the methods that can encode.
        tab: The panel's own tab, which reads the store when it is opened.
    """
    handlers = CollectionHandlers(context, link, methods)
    name = menu(label="Collection", choices=[], elem_id="collection-name")
    status = gr.HTML(elem_id="collection-status")
    shown, page, image = _gallery()
    with gr.Row():
        k = gr.Slider(1, 60, 10, step=1, label="Nearest images shown", elem_id="collection-k")
        search_own = gr.Button("Search with this image", elem_id="collection-by-image")
        remove = gr.Button("Take this image out", elem_id="collection-remove")
    upload = gr.File(label="Search with an image of yours", elem_id="collection-upload", height=140)
    results = gr.HTML(elem_id="collection-results")
    every: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 4}
    listing = {"fn": handlers.shown, "inputs": [name, page], "outputs": [shown, page, status]}
    files, add = _adding()
    new, method, start, create = _making()
    delete = _deleting(every)

    gr.on([tab.select], handlers.opened, [name, method], [name, method, status], **every)
    gr.on([name.change, page.change], **listing, **every)
    shown.select(_picked, None, [image], **every, show_progress="hidden").then(
        handlers.by_image, [name, image, k], [results, status], **every
    )
    search_own.click(handlers.by_image, [name, image, k], [results, status], **every)
    upload.upload(handlers.by_upload, [name, upload, k], [results, status], **every)
    again = {"fn": handlers.shown, "inputs": [name, page], "outputs": [shown, page]}
    quiet = {**again, "fn": lambda *words: handlers.shown(*words)[:2]}
    add.click(handlers.add, [name, files], [status], **every).then(**quiet, **every)
    remove.click(handlers.remove, [name, image], [status], **every).then(**quiet, **every)
    create.click(handlers.create, [new, method, start], [name, status], **every)
    delete.click(handlers.delete, [name], [name, status], **every)


def _gallery() -> tuple[gr.Gallery, gr.Number, gr.Number]:
    shown = thumbnails("Its images: choose one to search with it", "collection-images")
    with gr.Row():
        page = gr.Number(1, label="Page", minimum=1, precision=0, elem_id="collection-page")
        image = gr.Number(
            None, label="Image number", minimum=0, precision=0, elem_id="collection-image"
        )
    return shown, page, image


def _adding() -> tuple[gr.File, gr.Button]:
    with gr.Accordion("Add images", open=False, elem_id="collection-adding"):
        files = gr.File(
            label="Images, or zips of images",
            file_count="multiple",
            elem_id="collection-files",
            height=160,
        )
        add = gr.Button("Add to the collection", elem_id="collection-add", variant="primary")
    return files, add


def _making() -> tuple[gr.Textbox, gr.Dropdown, gr.Checkbox, gr.Button]:
    with gr.Accordion("New collection", open=False, elem_id="collection-making"):
        new = gr.Textbox(
            label="Name", info="letters, digits, - and _", elem_id="collection-new", max_lines=1
        )
        method = menu(label="Encoded by", choices=[], elem_id="collection-method")
        start = gr.Checkbox(
            label="Begin with the images that the method's database has",
            elem_id="collection-start",
        )
        create = gr.Button("Make the collection", elem_id="collection-create", variant="primary")
    return new, method, start, create


def _deleting(every: dict[str, Any]) -> gr.Button:
    """What removes a collection, behind a question."""
    with gr.Accordion("Remove the collection", open=False, elem_id="collection-removing"):
        sure = gr.Checkbox(
            label="Remove this collection's index and thumbnails for good",
            elem_id="collection-sure",
        )
        delete = gr.Button("Remove", elem_id="collection-delete", variant="stop", interactive=False)
        sure.change(lambda sure: gr.update(interactive=bool(sure)), [sure], [delete], **every)
        delete.click(lambda: False, None, [sure], **every)
    return delete


def _picked(event: gr.SelectData) -> int:
    """The number that a picture's caption begins with."""
    return int(str(event.value["caption"]).partition(":")[0])
