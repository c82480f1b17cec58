"""A parsed page to ask questions of: elements, their text, and the few selectors the tests use."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"]
)
_STEP = re.compile(r"(?P<tag>[\w*-]+)?(?P<rest>(?:#[\w-]+|\.[\w-]+|\[[^\]]+\])*)$")
_PART = re.compile(
    r"#(?P<id>[\w-]+)|\.(?P<cls>[\w-]+)|\[(?P<attr>[\w-]+)(?:(?P<op>[\^*$]?=)['\"]?(?P<value>[^'\"\]]*)['\"]?)?\]"
)


@dataclass(eq=False)
class Element:
    """One element; `children` holds elements and strings in document order."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parent: "Element | None" = None
    children: list["Element | str"] = field(default_factory=list)

    def __getitem__(self, attribute: str) -> str:
        return self.attributes[attribute]

    def get(self, attribute: str, default: str = "") -> str:
        return self.attributes.get(attribute, default)

    @property
    def text(self) -> str:
        """All text inside, with runs of whitespace as one space."""
        return " ".join(self._raw().split())

    def _raw(self) -> str:
        return "".join(child if isinstance(child, str) else child._raw() for child in self.children)

    def walk(self) -> Iterator["Element"]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.walk()

    def ancestors(self) -> Iterator["Element"]:
        element = self.parent
        while element is not None:
            yield element
            element = element.parent

    def select(self, selector: str) -> list["Element"]:
        """Elements inside that match: tag, #id, .class, [a], [a=v] (also ^= $= *=), descendants, commas."""
        groups = [[_step(step) for step in group.split()] for group in selector.split(",")]
        return [element for element in self.walk() if any(_matches(element, group) for group in groups)]

    def one(self, selector: str) -> "Element":
        """The only element that matches; raises AssertionError otherwise."""
        found = self.select(selector)
        assert len(found) == 1, f"{len(found)} elements match {selector!r}, expected one"
        return found[0]


def parse(markup: str) -> Element:
    """The document's root; its children are what stands at the top."""
    builder = _Builder()
    builder.feed(markup)
    builder.close()
    return builder.root


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.here = Element("#document")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(element)
        if tag not in _VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        for element in [self.here, *self.here.ancestors()]:
            if element.tag == tag:
                self.here = element.parent or self.root
                return

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def _step(text: str) -> re.Match[str]:
    found = _STEP.match(text)
    if not found:
        raise ValueError(f"selector not understood: {text!r}")
    return found


def _matches(element: Element, steps: list[re.Match[str]]) -> bool:
    if not _fits(element, steps[-1]):
        return False
    outer = list(element.ancestors())
    for step in reversed(steps[:-1]):
        while outer and not _fits(outer[0], step):
            outer.pop(0)
        if not outer:
            return False
        outer.pop(0)
    return True


def _fits(element: Element, step: re.Match[str]) -> bool:
    if step["tag"] and step["tag"] not in ("*", element.tag):
        return False
    return all(_holds(element, part) for part in _PART.finditer(step["rest"]))


def _holds(element: Element, part: re.Match[str]) -> bool:
    if part["id"]:
        return element.get("id") == part["id"]
    if part["cls"]:
        return part["cls"] in element.get("class").split()
    if part["attr"] not in element.attributes:
        return False
    value, wanted = element[part["attr"]], part["value"]
    tests = {"=": value == wanted, "^=": value.startswith(wanted or ""), "$=": value.endswith(wanted or "")}
    return part["op"] is None or tests.get(part["op"], wanted in value if wanted is not None else True)
