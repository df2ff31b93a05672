"""Read a page of HTML as a browser does, and check what every report must be."""

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "hr", "img", "input"}
HEADINGS = {f"h{level}" for level in range(1, 7)}


class Page(HTMLParser):
    """Content of a page, read as a browser reads it; fails where an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.links: list[str] = []
        self.levels: list[int] = []
        self.content: dict[str, str] = {}
        self.policy = ""
        self.text = ""
        self.names = ""
        """Names that programs read, and commands."""
        self.cells: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._table = ""
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags[tag] += 1
        self.attributes.update(found.keys())
        if found.get("id"):
            self.ids.append(str(found["id"]))
        self.references |= set(str(found.get("aria-labelledby") or "").split())
        href = str(found.get("href") or "")
        if href.startswith("#"):
            self.references.add(href[1:])
        elif href:
            self.links.append(href)
        self.references |= set(re.findall(r"url\(#([^)]+)\)", " ".join(str(value) for value in found.values())))
        if tag in HEADINGS:
            self.levels.append(int(tag[1]))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(found["content"])
        if tag == "table":
            self._table = str(found["id"])
            self.cells[self._table] = []
        if tag == "tr":
            self.cells[self._table].append([])
        if tag in ("td", "th") and self._table:
            self.cells[self._table][-1].append("")
        if tag == "data":
            self.cells[self._table][-1][-1] = str(found["value"]) + "|"

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag
        if tag == "table":
            self._table = ""

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside in ("script", "style"):
            self.content[inside] = self.content.get(inside, "") + data
        elif inside == "code":
            self.names += f"{data}\n"
        else:
            self.text += data
            if self._table and self.cells[self._table] and self.cells[self._table][-1]:
                self.cells[self._table][-1][-1] += data.strip("\n")


def sound(text: str) -> Page:
    """Read a page, and check what every page must be."""
    found = Page(text)
    assert [number for number, count in Counter(found.ids).items() if count > 1] == []
    assert found.references - set(found.ids) == set()
    assert found.levels[0] == 1
    assert all(below - above <= 1 for above, below in zip(found.levels, found.levels[1:], strict=False))
    assert (found.tags["script"], found.tags["style"], found.tags["h1"]) == (1, 1, 1)
    assert not {name for name in found.attributes if name.startswith("on") or name in ("src", "style", "srcdoc")}
    assert all(link.startswith("data:") for link in found.links)
    for name, kind in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(found.content[name].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in found.policy.split("; ")
    assert found.policy.startswith("default-src 'none';")
    assert "unsafe" not in found.policy
    return found
