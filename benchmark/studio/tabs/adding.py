"""Images on their way into a collection, by a thread that no page has to wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import Event, Thread
from typing import Final

from hashbench.studio.tabs.search_view import done, problems
from hashbench.studio.tabs.sent_images import SentImage

_TOLD_EVERY: Final = 0.5  # seconds

Add = Callable[[str, bytes], str]
"""Adds an image, called so and so, with these bytes; says why not, or nothing."""


class Adding:
    """Adds images one by one; what is wrong with one is told and skips only it.

    It goes on when the page that began it is closed or loaded again.

    Args:
        collection: The collection's name.
        images: What was sent.
        add: Adds one.
    """

    def __init__(self, collection: str, images: Iterable[SentImage], add: Add) -> None:
        self._collection, self._images, self._add = collection, images, add
        self._added = 0
        self._wrong: list[str] = []
        self._ended = Event()
        Thread(target=self._run, daemon=True, name="adding").start()

    @property
    def over(self) -> bool:
        """Whether all images were added or told to be wrong."""
        return self._ended.is_set()

    def said(self) -> str:
        """How far it is, as HTML."""
        begun = f"adding to {self._collection}: {self._added:,} so far"
        ended = f"collection {self._collection}: {self._added:,} images added"
        return done(ended if self.over else begun) + problems(self._wrong)

    def follow(self) -> Iterator[str]:
        """What `said` says, now and then until it is over."""
        while not self._ended.wait(_TOLD_EVERY):
            yield self.said()
        yield self.said()

    def _run(self) -> None:
        try:
            for image in self._images:
                why = image.problem or self._add(image.name, image.data)
                if why:
                    self._wrong.append(f"{image.name}: {why}")
                self._added += not why
        except Exception as error:
            self._wrong.append(f"the others were not added: {error}")
            raise  # to the page's log
        finally:
            self._ended.set()
