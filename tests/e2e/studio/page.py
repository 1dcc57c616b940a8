"""The studio's page in a browser, and what its user does there."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

PATIENCE = 240.0  # for machines that do other things as well
_BETWEEN = 0.1
_PASSING = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
_SIZES = "return [document.documentElement.scrollWidth, window.innerWidth]"
Found = TypeVar("Found")


def open_browser(downloads: Path | None = None) -> webdriver.Chrome:
    """Start a browser without a window."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    assert not missing, f"{' and '.join(missing)} not found: run 'make browser'"
    options = webdriver.ChromeOptions()
    options.binary_location = str(found["chromium"])
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{word}")
    if downloads is not None:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(found["chromedriver"])))
    driver.set_page_load_timeout(60)
    return driver


class Page:
    """What a user sees and does; everything waits until it is there."""

    def __init__(self, browser: webdriver.Chrome, url: str, *, width: int = 1280) -> None:
        self.browser, self.url = browser, url
        self.requested: list[str] = []
        self.complaints: list[str] = []
        for log in ("browser", "performance"):
            browser.get_log(log)  # of whatever was open before
        self.resize(width)
        self.reload()

    def reload(self) -> None:
        """Leave the page and open it anew."""
        self.read_logs()
        self.browser.get("about:blank")
        self.browser.get_log("browser")  # a page that is left says that it breaks off its requests
        self.browser.get(self.url)
        self.element("tabs")

    def resize(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def until(self, look: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
        """Look until something is found; returns that."""
        end = time.monotonic() + patience
        found, said = None, ""
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except _PASSING as error:
                said = str(error.msg)
            time.sleep(_BETWEEN)
        raise AssertionError(f"{what}: not within {patience:.0f} s; found {found!r} {said}")

    def element(self, name: str) -> WebElement:
        return self.until(lambda: self.browser.find_element(By.ID, name), f"#{name}")

    def open_tab(self, name: str) -> None:
        """Open the tab of an id, also where it is in the menu of those that have no room."""
        title = f"{name}-button"

        def press() -> bool:
            found = self.browser.find_elements(By.ID, title)
            if found and found[0].is_displayed():
                found[0].click()
            elif not found:
                self._open_in_menu(name)
            return self.browser.find_element(By.ID, name).is_displayed()

        self.until(press, f"tab {name}")

    def _open_in_menu(self, name: str) -> None:
        menu = self.browser.find_element(By.CSS_SELECTOR, "#tabs .overflow-menu > button")
        menu.click()
        word = name.rpartition("-")[2].capitalize()
        path = f"//*[contains(@class, 'overflow-dropdown')]/button[normalize-space()='{word}']"
        self.browser.find_element(By.XPATH, path).click()

    def click(self, name: str) -> None:
        """Press a button."""

        def press() -> bool:
            found = self.browser.find_element(By.ID, name)
            button = (
                found if found.tag_name == "button" else found.find_element(By.TAG_NAME, "button")
            )
            self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
            if not button.is_enabled():
                return False
            button.click()
            return True

        self.until(press, f"button {name}")

    def unfold(self, name: str) -> None:
        """Open an accordion if it is closed."""

        def press() -> bool:
            button = self.element(name).find_element(By.CSS_SELECTOR, "button.label-wrap")
            if "open" not in (button.get_attribute("class") or "").split():
                button.click()
                return False
            return True

        self.until(press, f"accordion {name}")

    def fill(self, name: str, text: str | int | float) -> None:
        """Write into a field and leave it."""

        def write() -> bool:
            field = self.element(name).find_element(
                By.CSS_SELECTOR, "textarea, input[type=text], input[type=number], input:not([type])"
            )
            self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(Keys.DELETE)
            field.send_keys(str(text))
            field.send_keys(Keys.TAB)
            return field.get_attribute("value") == str(text)

        self.until(write, f"field {name}")

    def choose(self, name: str, text: str) -> None:
        """Take an entry, or one that has these words, of a menu."""

        def pick() -> bool:
            field = self.element(name).find_element(By.CSS_SELECTOR, "input")
            self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", field)
            field.click()
            field.send_keys(Keys.CONTROL, "a")
            field.send_keys(Keys.DELETE)
            entries = self.element(name).find_elements(By.CSS_SELECTOR, "ul[role=listbox] li")
            entries = entries or self.browser.find_elements(By.CSS_SELECTOR, "ul[role=listbox] li")
            wanted = [e for e in entries if e.is_displayed() and text in words_of(e)]
            if not wanted:
                field.send_keys(Keys.ESCAPE)
                return False
            exact = [e for e in wanted if words_of(e) == text]
            (exact or wanted)[0].click()
            return True

        self.until(pick, f"{text!r} in menu {name}")

    def tick(self, name: str, text: str, *, on: bool = True) -> None:
        """Set a box of a group, by its label."""

        def press() -> bool:
            for label in self.element(name).find_elements(By.TAG_NAME, "label"):
                if text == label.text.strip():
                    box = label.find_element(By.TAG_NAME, "input")
                    if box.is_selected() != on:
                        label.click()
                    return box.is_selected() == on
            return False

        self.until(press, f"{text!r} of {name}")

    def send(self, name: str, *files: Path) -> None:
        """Upload files."""
        self.until(lambda: self._send(name, files), f"upload {name}")

    def _send(self, name: str, files: tuple[Path, ...]) -> bool:
        field = self.element(name).find_element(By.CSS_SELECTOR, "input[type=file]")
        field.send_keys("\n".join(map(str, files)))
        return True

    def text(self, name: str) -> str:
        """All that an element says, what is written in its fields too."""
        found = self.element(name)
        fields = found.find_elements(By.CSS_SELECTOR, "textarea, input")
        return "\n".join([found.text, *(str(each.get_attribute("value") or "") for each in fields)])

    def wait_for(self, name: str, *words: str, patience: float = PATIENCE) -> str:
        """Wait until an element says words; returns all it says."""
        try:
            return self.until(
                lambda: (
                    (said := self.text(name)) if all(w in self.text(name) for w in words) else ""
                ),
                f"{words} in {name}",
                patience,
            )
        except AssertionError as error:
            raise AssertionError(f"{error}; {name} says {self.text(name)[-2000:]!r}") from None

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page at its width."""
        height = self.browser.execute_script("return document.documentElement.scrollHeight")
        width = self.browser.execute_script("return window.innerWidth")
        self.resize(width, max(900, min(int(height), 6000)))
        time.sleep(0.3)
        self.browser.save_screenshot(str(path))
        self.resize(width)

    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        content, window = self.browser.execute_script(_SIZES)
        return max(0, int(content) - int(window))

    def read_logs(self) -> None:
        """Gather what the browser asked for and complained of since the last call."""
        for each in self.browser.get_log("performance"):
            message = json.loads(each["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requested.append(message["params"]["request"]["url"])
        logged = self.browser.get_log("browser")
        self.complaints += [each["message"] for each in logged if each["level"] == "SEVERE"]

    def outside(self) -> list[str]:
        """Requests that went anywhere but to the studio."""
        self.read_logs()
        here = urlsplit(self.url).netloc
        return [
            url
            for url in self.requested
            if urlsplit(url).netloc != here and urlsplit(url).scheme not in {"data", "blob"}
        ]


def words_of(entry: WebElement) -> str:
    """What an entry of a menu says, without its tick."""
    return (entry.get_attribute("aria-label") or entry.text).replace("\N{CHECK MARK}", "").strip()
