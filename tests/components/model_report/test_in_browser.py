"""The page as Chromium lays it out, on a desk and a phone, in light and in dark."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import PROGRAM, Tab, tab

from components.artifacts import ModelProfile, RunRecord

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt install chromium"),
]

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

# Pairs of elements that must not touch; those within one another are left out.
OVERLAPS = """
(() => {
  const found = [];
  const groups = [
    document.querySelectorAll("header, nav, section"),
    document.querySelectorAll("section > *, header > *"),
    document.querySelectorAll("figure, .tiles > div, .images li"),
    document.querySelectorAll("thead th"),
    ...[...document.querySelectorAll("svg")].map(svg => svg.querySelectorAll("text")),
    document.querySelectorAll("svg .node rect"),
  ];
  for (const group of groups) {
    const boxes = [...group].map(element => [element, element.getBoundingClientRect()])
      .filter(([_, box]) => box.width && box.height);
    boxes.forEach(([one, a], index) => boxes.slice(index + 1).forEach(([other, b]) => {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1 && !one.contains(other) && !other.contains(one))
        found.push([one, other].map(element => element.textContent.trim().slice(0, 40)));
    }));
  }
  return found;
})()
"""

# Text whose contrast with what is behind it is less than WCAG's 4.5 (level AA).
FAINT = """
(() => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const rect = element.closest("g")?.querySelector("rect");
    if (rect) return getComputedStyle(rect).fill;
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length
         && e.tagName !== "title");
  return texts.map(e => {
    const style = getComputedStyle(e);
    const color = e instanceof SVGElement ? style.fill : style.color;
    const [low, high] = [light(color), light(behind(e))].sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), e.textContent.trim().slice(0, 40), color, behind(e)];
  }).filter(([ratio]) => !(ratio >= 4.5));
})()
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.fixture(params=VIEWS, ids=lambda view: "-".join(map(str, view)))
def shown(request: pytest.FixtureRequest, chromium: Tab, page: Path) -> Tab:
    """The page, opened."""
    chromium.open(page, *request.param)
    return chromium


def test_nothing_is_complained_about_and_nothing_fetched(shown: Tab, page: Path) -> None:
    methods = [event["method"] for event in shown.events]
    assert "Runtime.exceptionThrown" not in methods
    assert "Runtime.consoleAPICalled" not in methods
    assert "Log.entryAdded" not in methods, shown.events
    requested = {
        event["params"]["request"]["url"]
        for event in shown.events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in requested
    assert all(url.startswith("data:") for url in requested - {page.as_uri()})


def test_every_figure_is_there(shown: Tab) -> None:
    sizes = shown.evaluate(
        '[...document.querySelectorAll("svg, figure, img")].map(e => e.getBoundingClientRect())'
        ".map(box => [box.width, box.height])"
    )
    assert len(sizes) > 30
    assert all(width > 60 and height > 60 for width, height in sizes)
    assert shown.evaluate("[...document.images].every(i => i.complete && i.naturalWidth === 32)")
    curves = shown.evaluate(
        '[...document.querySelectorAll(".curve")].map(path => path.getTotalLength())'
    )
    assert sum(length > 10 for length in curves) > 10


def test_the_page_is_no_wider_than_the_screen(shown: Tab) -> None:
    # A phone's innerWidth grows with the page: the width that was asked for is what counts.
    assert shown.evaluate("document.documentElement.scrollWidth") <= shown.width


def test_nothing_lies_over_another(shown: Tab) -> None:
    assert shown.evaluate(OVERLAPS) == []


def test_text_stands_out_in_both_schemes(shown: Tab) -> None:
    assert shown.evaluate(FAINT) == []


@pytest.mark.parametrize(("scheme", "least", "most"), [("light", 200, 255), ("dark", 0, 60)])
def test_the_reader_has_the_scheme_of_choice(
    chromium: Tab, page: Path, scheme: str, least: int, most: int
) -> None:
    chromium.open(page, 1280, scheme)
    color = chromium.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert all(least <= value <= most for value in color)


# What would run if a name were taken for markup, in text and in an attribute.
SCRIPTS = (
    "<script>document.title='ran'</script>.png",
    '"><img src=x onerror="document.title=\'ran\'">.png',
    "'><svg onload='document.title=`ran`'>.png",
)


@pytest.mark.parametrize("policy", [True, False], ids=["as it is", "without its policy"])
@pytest.mark.parametrize("script", SCRIPTS, ids=["script", "image", "drawing"])
def test_a_file_or_class_that_is_called_a_script_is_harmless(
    chromium: Tab, run: dict, report: Callable[..., Path], script: str, policy: bool
) -> None:
    record, profile = (
        Path(run[key].uri, kind.FILE_NAME)
        for key, kind in (("run_record", RunRecord), ("profile", ModelProfile))
    )
    document = json.loads(record.read_text(encoding="utf-8"))
    document["command"] += ["--data", f"/data/{script}"]
    document["config"]["data"]["path"] = f"/data/{script}"
    document["config"]["teacher"] |= {"network": None, "from": f"/models/{script}"}
    record.write_text(json.dumps(document), encoding="utf-8")
    names = json.loads(profile.read_text(encoding="utf-8"))
    for key in ("class_names", "superclass_names"):
        names[key] = [f"{name} {script}" for name in names[key]]
    profile.write_text(json.dumps(names), encoding="utf-8")
    run["examples"].set_string_custom_property("source", f"/data/{script}")
    page = report(run)
    html = page.read_text(encoding="utf-8")
    if not policy:  # so that escaping has to do alone
        lines = [line for line in html.splitlines() if "Content-Security-Policy" not in line]
        assert len(lines) == len(html.splitlines()) - 1
        page.write_text("\n".join(lines), encoding="utf-8")
    chromium.open(page, 1280, "light")
    assert chromium.evaluate("document.title").startswith("Blessed: ")
    assert chromium.evaluate('document.querySelectorAll("script, [onerror], [onload]").length') == 0
    assert chromium.evaluate(f"document.body.textContent.includes({json.dumps(script)})")


def test_a_script_would_be_noticed(chromium: Tab, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><title>still</title><body>{SCRIPTS[0]}", encoding="utf-8")
    chromium.open(page, 1280, "light")
    assert chromium.evaluate("document.title") == "ran"
