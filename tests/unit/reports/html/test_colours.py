"""Contrast of the page's colours, by the formula of WCAG 2.2, in light and in dark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = files("hashbench.reports.html").joinpath("templates/page.css").read_text(encoding="utf-8")
TEXT = ("ink", "faint", "link", "good", "bad", "open")
THEMES = {
    "light": r":root \{(.*?)\}",
    "dark, chosen": r':root\[data-theme="dark"\] \{(.*?)\}',
    "dark, by the system": r':root:not\(\[data-theme="light"\]\) \{(.*?)\}',
}


def colours(theme: str) -> dict[str, str]:
    block = re.search(THEMES[theme], CSS, re.DOTALL)
    assert block
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block[1]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_text_stands_out_by_4_5_and_drawings_by_3(theme: str) -> None:
    known = colours(theme)
    series = [name for name in known if name.startswith("series-")]
    assert len(series) == 8
    for ground in ("paper", "raised"):
        assert {n: c for n in TEXT if (c := contrast(known[n], known[ground])) < 4.5} == {}
    assert {n: c for n in series if (c := contrast(known[n], known["paper"])) < 3} == {}


def test_both_ways_to_the_dark_give_the_same_colours() -> None:
    assert colours("dark, chosen") == colours("dark, by the system")


def test_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
