"""What every page must satisfy, whichever test fetches it."""

from tests.infra.html import Element

_FIELDS = "input, select, textarea"
_UNLABELLED = {"hidden", "submit", "button", "image", "reset"}


def check(page: Element) -> None:
    """Raise AssertionError naming every rule the page breaks."""
    problems = [*_structure(page), *_inline(page), *_forms(page)]
    assert not problems, "the page breaks rules every page keeps:\n  " + "\n  ".join(problems)


def _structure(page: Element) -> list[str]:
    problems = []
    html = page.select("html")
    if len(html) != 1 or not html[0].get("lang"):
        problems.append("html element without a lang")
    titles = page.select("head title")
    if len(titles) != 1 or not titles[0].text:
        problems.append("no title")
    for tag in ("h1", "main"):
        if (found := len(page.select(tag))) != 1:
            problems.append(f"{found} {tag} elements, expected one")
    ids = [element["id"] for element in page.walk() if "id" in element.attributes]
    problems += [
        f"id {name!r} used {ids.count(name)} times" for name in sorted(set(ids)) if ids.count(name) > 1
    ]
    return problems


def _inline(page: Element) -> list[str]:
    problems = [f"inline {element.tag}" for element in page.select("style, script") if not _allowed(element)]
    for element in page.walk():
        for name, value in element.attributes.items():
            if name == "style" or name.startswith("on"):
                problems.append(f"inline {name} attribute on {element.tag}")
            elif value.strip().lower().startswith("javascript:"):
                problems.append(f"javascript: address on {element.tag}")
    return problems


def _allowed(element: Element) -> bool:
    # Data blocks are not run, so the content security policy lets them pass.
    return element.tag == "script" and ("src" in element.attributes or element.get("type").endswith("json"))


def _forms(page: Element) -> list[str]:
    problems = []
    labelled = {label["for"] for label in page.select("label[for]")}
    for element in page.select(_FIELDS):
        if element.get("type") in _UNLABELLED or _named(element, labelled):
            continue
        problems.append(f"{element.tag} {element.get('name') or element.get('id')!r} has no label")
    for form in page.select("form"):
        inside = form.get("action", "/").startswith("/") or not form.get("action")
        if form.get("method").lower() == "post" and inside and not form.select("input[name=csrf_token]"):
            problems.append(f"POST form to {form.get('action') or 'itself'} without a CSRF token")
    return problems


def _named(element: Element, labelled: set[str]) -> bool:
    if element.get("id") in labelled or element.get("aria-label") or element.get("aria-labelledby"):
        return True
    return any(outer.tag == "label" for outer in element.ancestors())
