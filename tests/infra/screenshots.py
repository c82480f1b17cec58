"""`make screenshots`: open a shop, sell something, sign in as its owner, and keep what the README shows."""

import re
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.infra import databases, hosted, run
from tests.infra.browser import ARGUMENTS, executable
from tests.infra.stack import Stack

PLACE = run.ROOT / "docs" / "images"
OWNER, PASSWORD = "owner@example.com", "a long passphrase for a picture"
VIEW = {"width": 1440, "height": 900}


def buy(page: Page, slug: str, **person: str) -> None:
    """One purchase, up to the page that says it is paid."""
    page.goto(f"/offers/{slug}")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    hosted.pay(page, **person)
    page.wait_for_url(re.compile(r"/checkout/ord_"))
    page.get_by_role("heading", name=re.compile("paid")).wait_for()


def sign_in(page: Page, link: str) -> None:
    """Take the one-time link to a password, and the password to a session."""
    page.goto(link)
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=password_confirm]", PASSWORD)
    page.locator("main form button").last.click()
    page.goto("/login?next=/ops")
    if page.locator("[name=password]").count():
        page.fill("[name=email]", OWNER)
        page.fill("[name=password]", PASSWORD)
        page.locator("main form button").last.click()


def take(stack: Stack, page: Page, place: Path) -> list[Path]:
    """The pictures, as files."""
    slug = stack.sql("SELECT slug FROM offers WHERE kind = 'product' ORDER BY id")[0]["slug"]
    taken = []

    def shoot(name: str, path: str) -> None:
        answer = page.goto(path)
        assert answer and answer.ok, f"{path} answered {answer and answer.status}"
        taken.append(place / f"{name}.png")
        page.screenshot(path=taken[-1])

    shoot("offer", f"/offers/{slug}")
    for name in ("Ada Lindqvist", "Jun Mori", "Marta Keller"):
        buy(page, slug, name=name, email=f"{name.split()[0].lower()}@example.com")
    order = page.url.rpartition("/")[2]
    link = re.search(r"https?://\S+/reset/\S+", stack.flask("users", "grant", OWNER, "owner"))
    sign_in(page, link[0])
    shoot("order", f"/ops/orders/{order}")
    return taken


def main() -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    try:
        with (
            databases.migrated("sqlite") as url,
            Stack("screenshots", url, run.folder() / "shop") as stack,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
            page = browser.new_page(
                base_url=stack.base_url,
                viewport=VIEW,
                color_scheme="light",
                locale="en-GB",
                reduced_motion="reduce",
            )
            for file in take(stack, page, PLACE):
                sys.stdout.write(f"{file.relative_to(run.ROOT)}\n")
            browser.close()
    finally:
        run.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
