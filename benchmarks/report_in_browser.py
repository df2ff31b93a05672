"""Open a report in a browser: nothing is loaded, nothing is cut off, on a phone, on a desktop, in the dark and on paper.

python benchmarks/report_in_browser.py report.html                         # needs playwright and a Chromium
python benchmarks/report_in_browser.py report.html --axe axe.min.js --pictures folder
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

WIDTHS = (390, 1280)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BESIDE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".scroll") && !e.closest("svg") && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.outerHTML.slice(0, 80))"""
OPENED = "() => document.querySelectorAll('details').forEach((part) => { part.open = true; })"
VIOLATIONS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes[0].html.slice(0, 80))"""


def look(browser: Any, page: Path, width: int, scheme: str, axe: str, pictures: Path | None) -> list[str]:
    """Open a page once; return what is wrong."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False)
    tab = context.new_page()
    messages, requests = [], []
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(page.resolve().as_uri())
    if pictures is not None:
        tab.screenshot(path=pictures / f"{page.stem}-{width}-{scheme}.png")
    tab.evaluate(OPENED)
    wrong = [f"beside the page: {text}" for text in tab.evaluate(BESIDE)]
    if tab.evaluate("() => document.documentElement.scrollWidth") > width:
        wrong.append("the page scrolls sideways")
    if tab.locator("thead button").count():
        tab.locator("thead button").first.press("Enter")
    if scheme == "light":
        with tempfile.TemporaryDirectory() as folder:
            tab.pdf(path=(pictures or Path(folder)) / f"{page.stem}-{width}.pdf", format="A4")
    wrong += [f"message: {text}" for text in messages] + [f"request: {url}" for url in requests[1:]]
    context.close()
    if axe:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        tab = context.new_page()
        tab.goto(page.resolve().as_uri())
        tab.evaluate(axe)
        tab.evaluate(OPENED)
        wrong += [f"axe: {text}" for text in tab.evaluate(VIOLATIONS)]
        context.close()
    return [f"{width} pixels, {scheme}: {text}" for text in wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, help="reports")
    parser.add_argument("--axe", type=Path, help="axe-core's axe.min.js")
    parser.add_argument("--pictures", type=Path, help="folder for screenshots and PDFs")
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        print("skipped: this check needs playwright (pip install playwright) and a Chromium on the PATH")
        return 0
    axe = options.axe.read_text("utf-8") if options.axe else ""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=program, args=["--no-sandbox"])
        wrong = [
            line
            for page in options.pages
            for width in WIDTHS
            for scheme in ("light", "dark")
            for line in look(browser, page, width, scheme, axe, options.pictures)
        ]
        browser.close()
    print("\n".join(wrong) or "nothing is loaded and nothing is cut off")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
