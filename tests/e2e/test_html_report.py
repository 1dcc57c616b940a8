"""The HTML report of committed records, in a real browser."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import hashbench
from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390)
PARTS = ("decision", "tables", "figures", "comparison", "claims", "records")
FIGURES = ("bits", "pr", "at-n", "distances", "balance", "training", "epochs")
FASHION = "fashion-mnist-mini@1 on AMD EPYC"
MINUS = "\N{MINUS SIGN}"
SIZES = "return [document.documentElement.scrollWidth, window.innerWidth]"


def report(root: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # A few methods of two stores: one of them has latencies, the other images with several labels.
    stores = [f"--store={root / 'results' / name}" for name in ("quickstart", "mixtures")]
    words = ("report", *stores, "--format", "html", "-o", str(out), *words)
    return hashbench(*words, folder=out.parent)


@pytest.fixture(scope="module")
def page(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    claims = str(root / "claims")
    done = report(root, out, "--where", "loss=csq,hsc,greedyhash", "--claims", claims)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    assert not missing, f"{' and '.join(missing)} not found: run 'make browser'"
    options = webdriver.ChromeOptions()
    options.binary_location = str(found["chromium"])
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(found["chromedriver"])))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def opened(
    browser: webdriver.Chrome, page: Path, request: pytest.FixtureRequest
) -> webdriver.Chrome:
    return show(browser, page, width=request.param)


@pytest.fixture
def wide(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    return show(browser, page, width=WIDTHS[0])


def show(browser: webdriver.Chrome, page: Path, *, width: int) -> webdriver.Chrome:
    browser.get("about:blank")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    return browser


def requests(browser: webdriver.Chrome) -> list[str]:
    messages = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    sent = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [str(each["params"]["request"]["url"]) for each in sent]


def different_colours(element: WebElement) -> int:
    image = Image.open(io.BytesIO(element.screenshot_as_png)).convert("RGB")
    return len(set(image.get_flattened_data()))


def choose(browser: webdriver.Chrome, name: str, text: str) -> None:
    Select(browser.find_element(By.ID, name)).select_by_visible_text(text)


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, selector)]


def test_no_console_errors_no_outside_requests_and_no_sideways_scrolling(
    opened: webdriver.Chrome, page: Path
) -> None:
    for details in opened.find_elements(By.CSS_SELECTOR, "details"):
        opened.execute_script("arguments[0].open = true", details)
    fetched = [url for url in requests(opened) if not url.startswith("data:")]
    assert fetched == [page.as_uri()]
    assert opened.get_log("browser") == []
    content, window = opened.execute_script(SIZES)
    assert content <= window


def test_every_part_is_there_and_painted(opened: webdriver.Chrome) -> None:
    for part in PARTS:
        element = opened.find_element(By.ID, part)
        assert element.is_displayed()
        assert different_colours(element) > 8, part


def test_every_figure_is_there_and_painted(opened: webdriver.Chrome) -> None:
    multi_label = "digit-mixtures@1"
    shown = {
        figure.get_attribute("id"): figure
        for figure in opened.find_elements(By.CSS_SELECTOR, "details[open] figure")
    }
    first = opened.find_element(By.CSS_SELECTOR, "#figures summary").text
    assert multi_label in first
    assert [f"a0-{name}" for name in (*FIGURES, "labels") if f"a0-{name}" not in shown] == []
    for name, figure in shown.items():
        drawing = figure.find_element(By.CSS_SELECTOR, ".drawing")
        assert different_colours(drawing) > 8, name
        assert len(drawing.get_attribute("aria-label") or "") > 40
        assert figure.find_element(By.TAG_NAME, "figcaption").text
    opened.execute_script("document.querySelectorAll('#figures details')[1].open = true")
    assert opened.find_element(By.ID, "a1-latency").is_displayed()


def test_it_says_which_method_to_use_and_why(wide: webdriver.Chrome) -> None:
    choose(wide, "decision-arena", FASHION)
    best = wide.find_element(By.CSS_SELECTOR, ".answer .first").text
    why = wide.find_element(By.CSS_SELECTOR, ".answer").text
    assert best == "resnet_mini + csq at 32 bits"
    assert "map@all 0.7524" in why
    assert "the highest of 12 choices within your limits" in why
    assert "The next method is resnet_mini + greedyhash at 32 bits" in why
    assert "shown to be lower" in why
    choose(wide, "decision-bits", "at most 16")
    assert texts(wide, ".answer .first") == ["resnet_mini + csq at 16 bits"]
    assert "has more than 16 bits: 6" in wide.find_element(By.CSS_SELECTOR, ".answer").text
    wide.find_element(By.ID, "decision-seconds").send_keys("10")
    assert texts(wide, ".answer .first") == ["resnet_mini + greedyhash at 16 bits"]
    choose(wide, "decision-labels", "I have none")
    assert texts(wide, ".answer .first") == ["No method is within your limits."]
    assert "needs labels: 12" in wide.find_element(By.CSS_SELECTOR, ".answer").text


def test_a_latency_that_nothing_reaches_leaves_everything_out(wide: webdriver.Chrome) -> None:
    choose(wide, "decision-arena", FASHION)
    wide.find_element(By.ID, "decision-ms").send_keys("0.0001")
    assert "No method is within your limits." in texts(wide, ".answer .first")
    assert "slower than 0.0001 ms: 12" in wide.find_element(By.CSS_SELECTOR, ".answer").text


def test_two_methods_are_compared_with_difference_and_interval(wide: webdriver.Chrome) -> None:
    choose(wide, "comparison-first", "mlp + hsc")
    choose(wide, "comparison-second", "mlp + csq")
    rows = [
        [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        for row in wide.find_elements(By.CSS_SELECTOR, "#comparison-answer tbody tr")
    ]
    quality = rows[0]
    one, two = (float(text.split()[0]) for text in quality[2:4])
    difference = float(quality[4].replace(MINUS, "-"))
    low, high = (float(p.replace(MINUS, "-")) for p in quality[5].strip("[]").split(", "))
    assert quality[0] == "map@all"
    assert difference == pytest.approx(one - two, abs=1.5e-4)
    assert low < difference < high
    assert [row[0] for row in rows] == ["map@all", "training s", "parameters"]


def test_a_value_leads_to_its_records_and_back(wide: webdriver.Chrome) -> None:
    link = wide.find_element(By.CSS_SELECTOR, "#tables td a")
    ids = (link.get_attribute("href") or "").partition("#record-")[2].split(",")
    link.send_keys(Keys.ENTER)
    shown = wide.find_elements(By.CSS_SELECTOR, "#records-shown article")
    assert [each.get_attribute("data-record") for each in shown] == ids
    assert ids[0] in shown[0].text
    assert "map@all" in shown[0].text
    fit = wide.find_element(By.CSS_SELECTOR, "#records-shown dd a")
    fit.click()
    details = wide.find_element(By.CSS_SELECTOR, "#records-shown article").text
    assert details.startswith("fit ")
    assert "phases" in details
    wide.find_element(By.CSS_SELECTOR, "#records-shown button").click()
    assert ",".join(ids) in wide.current_url


def test_records_are_found_by_words(wide: webdriver.Chrome) -> None:
    wide.find_element(By.ID, "records-words").send_keys("fit resnet_mini hsc 16")
    found = texts(wide, "#records-found li")
    assert len(found) == 1
    assert "resnet_mini + hsc | 16 bits | seed 0" in found[0]


def test_tables_sort_by_keyboard_and_filter_by_words(wide: webdriver.Chrome) -> None:
    table = wide.find_element(By.CSS_SELECTOR, "#tables table")
    head = table.find_elements(By.TAG_NAME, "th")[-1]
    button = head.find_element(By.TAG_NAME, "button")

    def column() -> list[float]:
        cells = table.find_elements(By.CSS_SELECTOR, "tbody tr td:last-child")
        return [float(cell.text.split()[0]) for cell in cells if cell.text]

    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True)
    button.send_keys(Keys.ENTER)
    assert head.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    boxes = wide.find_elements(By.CSS_SELECTOR, "#tables .filter input")
    box = next(each for each in boxes if each.is_displayed())
    box.send_keys("greedyhash")
    part = box.find_element(By.XPATH, "ancestor::details")
    rows = part.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert {"greedyhash" in row.text for row in rows if row.is_displayed()} == {True}
    assert 0 < sum(row.is_displayed() for row in rows) < len(rows)


def test_the_first_tab_offers_to_skip_to_the_content(wide: webdriver.Chrome) -> None:
    wide.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = wide.switch_to.active_element
    assert (focused.text, focused.rect["x"] >= 0) == ("Skip to the content", True)
    focused.send_keys(Keys.ENTER)
    assert wide.switch_to.active_element.tag_name == "main"


def test_every_field_has_a_label(wide: webdriver.Chrome) -> None:
    unlabelled = wide.execute_script(
        "return [...document.querySelectorAll('input, select')].filter((e) => !e.labels.length)"
        ".map((e) => e.outerHTML)"
    )
    assert unlabelled == []


def test_dark_is_the_systems_or_ones_own_choice(browser: webdriver.Chrome, page: Path) -> None:
    def ground() -> str:
        return str(browser.execute_script("return getComputedStyle(document.body).backgroundColor"))

    def prefer(scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    prefer("light")
    show(browser, page, width=WIDTHS[0])
    light = ground()
    browser.find_element(By.ID, "theme").click()
    dark = ground()
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(20, 23, 27)")
    prefer("dark")
    show(browser, page, width=WIDTHS[0])
    assert ground() == dark
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_it_prints_in_black_on_white_without_controls(wide: webdriver.Chrome) -> None:
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    emulated: dict[str, Any] = {"media": "print", "features": [feature]}
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    ground = wide.execute_script("return getComputedStyle(document.body).backgroundColor")
    controls = [wide.find_element(By.ID, name) for name in ("theme", "decision-form")]
    answer = wide.find_element(By.CSS_SELECTOR, ".answer")
    shown = [each.is_displayed() for each in (*controls, answer)]
    wide.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert ground == "rgb(255, 255, 255)"
    assert shown == [False, False, True]


def test_the_same_records_give_the_same_file(root: Path, page: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.html"
    claims = str(root / "claims")
    report(root, again, "--where", "loss=csq,hsc,greedyhash", "--claims", claims)
    assert again.read_bytes() == page.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--claims", "nowhere.yaml"), "nowhere.yaml"),
        (("--claims", "nowhere.yaml", "--format", "markdown"), "only --format html shows claims"),
    ],
)
def test_wrong_claims_are_one_line_and_leave_no_file(
    root: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "report.html"
    done = report(root, out, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
