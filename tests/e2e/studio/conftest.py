"""The installed command on a store of the test's own, and photos to import."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from hashbench.core.errors import ConfigError
from hashbench.datasets.sources.fashion_mnist import CLASSES, FashionMNISTMini
from hashbench.studio.jobs import jobs

COMMAND = str(Path(sys.executable).with_name("hashbench"))
PATIENCE = 240.0
SHOWN = re.compile(r"http://\S+/")


@dataclass
class Studio:
    """A running ``hashbench studio``."""

    process: subprocess.Popen[str]
    store: Path
    data: Path
    line: str
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        found = SHOWN.search(self.line)
        assert found, self.line
        return found[0]

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    def jobs(self) -> list[jobs.Job]:
        """What was started in the page, the last first."""
        return jobs.read_all(self.store / ".work" / "studio")

    def stop_jobs(self) -> None:
        """End what outlives the page."""
        for job in self.jobs():
            with suppress(ConfigError):
                jobs.stop(job.folder.parent, job.id)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


Start = Callable[..., Studio]


def start_studio(
    folder: Path, *words: str, file_limit: int | None = None, password: str | None = None
) -> Studio:
    """Start a studio on ``folder/store`` and wait until it says where it is."""
    environment = {**os.environ, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    if password is not None:
        environment["HASHBENCH_STUDIO_PASSWORD"] = password

    store, data = folder / "store", folder / "data"
    data.mkdir(exist_ok=True)
    given = [str(store), "--port", "0", "--data-root", str(data), *words]
    limit = "" if file_limit is None else f"ulimit -f {file_limit // 1024};"
    process = subprocess.Popen(
        ["bash", "-c", f'{limit} exec "$@"', "-", COMMAND, "studio", *given],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = next((line for line in process.stdout if SHOWN.search(line)), "")
    assert line, f"ended with {process.wait(PATIENCE)}"
    studio = Studio(process, store, data, line)
    # What it writes later is read, so that it never waits for somebody to.
    threading.Thread(target=studio.log.extend, args=(process.stdout,), daemon=True).start()
    return studio


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``photos``, a folder of 60 for each class, and ``unseen.jpg``, trousers.

    They are real ones, JPEG and PNG.
    """
    root = tmp_path_factory.mktemp("real")
    data = FashionMNISTMini().load(None)
    labels = data.labels.argmax(axis=1)
    for name in ("Trouser", "Bag", "Ankle boot"):
        *places, last = (labels == CLASSES.index(name)).nonzero()[0][:61]
        folder = root / "photos" / name.lower().replace(" ", "-")
        folder.mkdir(parents=True)
        for number, place in enumerate(places):
            image = Image.fromarray(data.images[place]).convert("RGB")
            image.save(folder / f"{number:03d}.{'png' if number % 2 else 'jpg'}")
        if name == "Trouser":
            Image.fromarray(data.images[last]).convert("RGB").save(root / "unseen.jpg")
    return root


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return what starts a studio, in a folder of its own unless one is named."""
    started: list[Studio] = []

    def begin(*words: str, folder: Path | None = None, **how: int | str | None) -> Studio:
        place = folder or tmp_path_factory.mktemp("studio")
        started.append(start_studio(place, *words, **how))  # type: ignore[arg-type]  # by name
        return started[-1]

    yield begin
    for studio in started:
        with suppress(subprocess.TimeoutExpired):
            studio.end()
        studio.process.kill()
        studio.process.wait()
        studio.stop_jobs()
