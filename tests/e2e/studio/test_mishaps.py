"""What goes wrong in the studio is said in the page, and nothing that was finished is lost."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By

from .conftest import Start, Studio
from .page import Page, open_browser

pytestmark = [pytest.mark.browser, pytest.mark.thorough]

MARKUP = "<img src=x onerror=document.title='run'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    driver = open_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def studio(start: Start) -> Studio:
    return start()


def photo(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def send_zip(page: Page, path: Path, name: str) -> None:
    page.reload()
    page.open_tab("tab-data")
    page.send("data-upload", path)
    page.wait_for("data-upload", path.stem)
    page.fill("data-name", name)


HARMFUL: dict[str, tuple[dict[str, bytes], str]] = {
    "traversal": ({"../../evil.png": b"x"}, "leads out of it"),
    "bomb": ({"a/bomb.png": bytes(300 * 2**20)}, "would unpack to"),
    "texts": ({"a/readme.txt": b"x"}, "expected images in it, found none"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_a_zip_that_means_harm_is_refused_in_one_line(
    studio: Studio, browser: webdriver.Chrome, tmp_path: Path, name: str
) -> None:
    files, said = HARMFUL[name]
    page = Page(browser, studio.url)
    send_zip(page, zipped(tmp_path / f"{name}.zip", files), name)
    page.click("data-preview")
    page.wait_for("data-found", "error: ", said)
    assert page.complaints == []


def test_labels_with_markup_are_shown_as_text_and_broken_photos_are_named(
    studio: Studio, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    files = {f"{MARKUP}/{n}.png": photo(n) for n in range(20)}
    files |= {f"plain/{n}.png": photo(100 + n) for n in range(20)}
    files |= {"plain/cut.png": photo(7)[:60], "plain/text.jpg": b"no photo"}
    page = Page(browser, studio.url)
    send_zip(page, zipped(tmp_path / "labels.zip", files), "labels")
    page.click("data-preview")
    page.wait_for("data-found", "42 images with labels, 2 classes")
    page.click("data-import")
    page.wait_for("data-job-state", "done")
    assert "40 read of 42" in page.wait_for("data-job-log", "unreadable: 2")
    page.choose("data-dataset", "imported/labels")
    page.click("data-show")
    page.wait_for("data-counts", MARKUP)
    page.wait_for("data-problems", "plain/text.jpg")
    assert browser.find_elements(By.CSS_SELECTOR, "img[src='x']") == []
    assert browser.title == "hashbench studio"
    page.outside()
    assert page.complaints == []


def test_a_training_whose_process_is_killed_is_shown_and_goes_on_when_resumed(
    studio: Studio, browser: webdriver.Chrome
) -> None:
    page = Page(browser, studio.url)
    page.open_tab("tab-train")
    page.choose("train-dataset", "digits")
    page.choose("train-backbone", "mlp")
    page.fill("train-epochs", 3)
    page.fill("train-every", 0)
    page.click("train-start")
    page.wait_for("train-job-state", "running")
    (job,) = (job for job in studio.jobs() if job.command.kind == "run")
    os.killpg(int(process_of(studio, job.id)), signal.SIGKILL)
    page.wait_for("train-job-state", "killed", "Resume")
    page.click("train-job-resume")
    page.wait_for("train-job-state", "done")
    page.wait_for("train-job-progress", "1 of 1 cells done")


def process_of(studio: Studio, job: str) -> str:
    folder = studio.store / ".work" / "studio" / job
    return str(json.loads((folder / "pid").read_text())["pid"])


def test_a_full_disk_is_said_and_after_making_room_the_import_goes_on(
    start: Start, browser: webdriver.Chrome, photos: Path, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "data")
    full = start(folder=tmp_path, file_limit=300 * 1024)
    page = Page(browser, full.url)
    page.open_tab("tab-data")
    page.fill("data-path", "photos")
    page.fill("data-name", "things")
    page.unfold("data-more")
    page.fill("data-side", 32)
    page.click("data-import")
    page.wait_for("data-job-state", "failed", "make room")
    assert not (tmp_path / "data" / "imported" / "things").exists()
    full.end()

    roomy = start(folder=tmp_path)
    page = Page(browser, roomy.url)
    page.open_tab("tab-data")
    page.wait_for("data-job-state", "failed", "make room")
    page.click("data-job-resume")
    page.wait_for("data-job-state", "done")
    assert (tmp_path / "data" / "imported" / "things" / "report.json").is_file()
