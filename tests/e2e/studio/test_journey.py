"""From photos to a search, in a real browser and with the installed command."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By

from hashbench.serve.discovery import find_server

from .conftest import Start, Studio
from .page import Page, open_browser

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
TABS = ("data", "train", "search", "analysis", "runs")


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[webdriver.Chrome]:
    driver = open_browser(downloads)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where screenshots are kept: HASHBENCH_SCREENSHOTS, else a folder of the test run."""
    named = os.environ.get("HASHBENCH_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def studio(
    start: Start, photos: Path, browser: webdriver.Chrome, tmp_path_factory: pytest.TempPathFactory
) -> Studio:
    """Return a studio in which photos were imported and trained on, by hand, through the page."""
    folder = tmp_path_factory.mktemp("journey")
    shutil.copytree(photos, folder / "data")
    found = start(folder=folder)
    page = Page(browser, found.url)
    page.open_tab("tab-data")
    page.fill("data-path", "photos")
    page.fill("data-name", "things")
    page.unfold("data-more")
    page.fill("data-side", 32)
    page.click("data-preview")
    page.wait_for("data-found", "180 images with labels, 3 classes")
    page.click("data-import")
    page.wait_for("data-job-state", "done")
    assert "81 train, 18 query, 162 database" in page.wait_for("data-job-log", "split:")

    page.open_tab("tab-train")
    page.choose("train-dataset", "imported/things")
    page.choose("train-backbone", "mlp")
    page.tick("train-bits", "16")
    page.fill("train-epochs", 6)
    page.fill("train-every", 0)
    page.click("train-start")
    page.wait_for("train-result", "hashbench run")
    page.reload()
    page.open_tab("tab-train")
    page.wait_for("train-job-state", "running")
    page.wait_for("train-job-state", "done")
    assert "2 of 2 cells done" in page.wait_for("train-job-progress", "2 of 2")
    assert "hashbench run" in page.text("train-job-command")
    assert_quiet(page)
    return found


def assert_quiet(page: Page) -> None:
    assert page.outside() == []
    assert page.complaints == []


def search(page: Page, photo: Path) -> list[str]:
    """Search with a photo; returns what each image found says, the nearest first."""
    page.open_tab("tab-search")
    page.choose("search-method", "32 bits")
    page.open_tab("tab-search-upload")
    page.send("search-upload", photo)
    page.wait_for("search-upload", photo.stem)
    page.click("search-by-upload")
    return found_images(page)


def found_images(page: Page) -> list[str]:
    page.wait_for("search-results", "rank 10")
    found = page.element("search-results").find_elements(By.CSS_SELECTOR, "figure")
    return [each.text for each in found]


def test_a_photo_finds_those_of_its_class_first(
    studio: Studio, browser: webdriver.Chrome, photos: Path
) -> None:
    page = Page(browser, studio.url)
    found = search(page, photos / "unseen.jpg")
    assert "trouser" in found[0]
    assert sum("trouser" in each for each in found) >= 8
    said = page.text("search-results")
    assert "162 images searched" in said
    assert "Hamming distance" in said
    assert_quiet(page)


@pytest.mark.thorough
def test_two_runs_are_compared_by_the_paired_test(
    studio: Studio, browser: webdriver.Chrome
) -> None:
    page = Page(browser, studio.url)
    page.open_tab("tab-analysis")
    page.wait_for("analysis-decision", "mlp + hsc")
    page.choose("analysis-first", "32 bits")
    page.choose("analysis-second", "16 bits")
    page.click("analysis-compare")
    said = page.wait_for("analysis-compared", "32 bits", "16 bits", "interval")
    assert "(1 x 18)" in said, "one seed, 18 queries"
    assert_quiet(page)


@pytest.mark.thorough
def test_the_report_is_downloaded_and_stands_alone(
    studio: Studio, browser: webdriver.Chrome, downloads: Path
) -> None:
    page = Page(browser, studio.url)
    page.open_tab("tab-analysis")
    page.click("report-make")
    page.click("report-download")

    def arrived() -> list[Path]:
        return list(downloads.glob("*.html"))

    (report,) = page.until(arrived, "the report")
    text = report.read_text(encoding="utf-8")
    assert "mlp + hsc" in text
    assert "<script src=" not in text
    assert_quiet(page)


@pytest.mark.thorough
@pytest.mark.parametrize("width", WIDTHS)
def test_every_tab_fits_the_window_and_asks_nobody_outside(
    studio: Studio, browser: webdriver.Chrome, pictures: Path, photos: Path, width: int
) -> None:
    page = Page(browser, studio.url, width=width)
    wide = {}
    for name in TABS:
        page.open_tab(f"tab-{name}")
        if name == "data":
            page.choose("data-dataset", "imported/things")
            page.click("data-show")
            page.wait_for("data-facts", "things@1")
        elif name == "search":
            search(page, photos / "unseen.jpg")
        elif name == "analysis":
            page.wait_for("analysis-decision", "mlp + hsc")
            page.until(
                lambda: browser.find_elements(By.CSS_SELECTOR, "#analysis-figures figure svg"),
                "figures",
            )
        else:
            page.wait_for("train-job-cells" if name == "train" else "runs-table", "mlp + hsc")
        wide[name] = page.overflow()
        picture = pictures / f"{name}-{width}.png"
        page.screenshot(picture)
        assert len(set(Image.open(picture).convert("L").tobytes())) > 16, name
    assert wide == dict.fromkeys(TABS, 0)
    assert_quiet(page)


@pytest.mark.thorough
def test_two_browsers_at_once_see_the_same_and_search_at_once(
    studio: Studio, browser: webdriver.Chrome, photos: Path
) -> None:
    other = open_browser()
    try:
        one, two = Page(browser, studio.url), Page(other, studio.url)
        first, second = (search(page, photos / "unseen.jpg") for page in (one, two))
        assert first == second
        for page in (one, two):
            page.open_tab("tab-runs")
            page.wait_for("runs-table", "mlp + hsc")
            assert_quiet(page)
        assert one.text("runs-table") == two.text("runs-table")
    finally:
        other.quit()


@pytest.mark.thorough
def test_a_killed_search_worker_is_replaced_at_the_next_search(
    studio: Studio, browser: webdriver.Chrome, photos: Path
) -> None:
    page = Page(browser, studio.url)
    before = search(page, photos / "unseen.jpg")
    worker = find_server(studio.store)
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    page.click("search-by-upload")

    def replaced() -> bool:
        successor = find_server(studio.store)
        return successor is not None and successor.pid != worker.pid

    page.until(replaced, "another worker")
    assert found_images(page) == before
    assert_quiet(page)


@pytest.mark.thorough
def test_what_is_no_photo_is_refused_by_the_search(
    studio: Studio, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no photo")
    page = Page(browser, studio.url)
    page.open_tab("tab-search")
    page.wait_for("search-method", "mlp + hsc")
    page.open_tab("tab-search-upload")
    page.send("search-upload", tmp_path / "text.png")
    page.wait_for("search-upload", "text")
    page.click("search-by-upload")
    page.wait_for("search-status", "no image that can be read")
