"""The storage page in a real browser: it renders, sorts, filters, and asks nobody for anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.storage.chromium import Browser, chromium
from tests.storage.pages import IMAGES, RUN, package, report, turn

from lamina.model.image import ImageId
from lamina.storage.page import make_page

pytestmark = pytest.mark.real

NAMES = sorted(str(one.id) for one in IMAGES)
BY_SIZE = [
    str(one.id) for one in sorted(IMAGES, key=lambda one: one.apparent.uncompressed, reverse=True)
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "storage.html"
    file.write_text(make_page(report(), RUN), encoding="utf-8")
    return file


def images(browser: Browser) -> list[str]:
    """Return the images that the table shows, in its order."""
    found = browser.evaluate(
        "[...document.querySelectorAll('#images tbody tr')]"
        ".filter(row => row.getClientRects().length).map(row => row.cells[0].textContent)"
    )
    return list(found)


def direction(browser: Browser, key: str) -> str | None:
    found = browser.evaluate(
        f"document.querySelector('#images th[data-key={key}]').getAttribute('aria-sort')"
    )
    return str(found) if found else None


def is_shown(browser: Browser, selector: str) -> bool:
    found = f"document.querySelector({json.dumps(selector)})"
    return bool(browser.evaluate(f"{found}.getClientRects().length"))


def test_the_page_is_shown_without_a_complaint_or_a_request(browser: Browser, page: Path) -> None:
    browser.open(page)

    assert images(browser) == NAMES
    # By number, for nothing is said to be drawn until it takes room.
    assert browser.evaluate(
        "[...document.querySelectorAll('svg.wide rect')].every(r => r.getBBox().width > 0 "
        "|| r.classList.contains('before'))"
    )
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]


def test_the_policy_stops_what_a_name_might_smuggle_in(browser: Browser, tmp_path: Path) -> None:
    """The control: the browser does tell of faults, and the policy holds."""
    file = tmp_path / "broken.html"
    whole = make_page(report(), RUN)
    smuggled = "<script>document.title = 'taken'</script><img src='http://127.0.0.1:9/x'>"
    file.write_text(whole.replace("<footer>", f"{smuggled}<footer>"), encoding="utf-8")

    browser.open(file)

    assert browser.evaluate("document.title") == "Storage of the fleet"
    assert len(browser.complaints) >= 2


def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=\"document.title='taken'\">"
    odd = replace(IMAGES[1], id=ImageId(hostile))
    fleet = report(
        images=(*IMAGES, odd),
        packages=[package(hostile, 10**6, 2)],
    )
    file = tmp_path / "hostile.html"
    file.write_text(make_page(fleet, RUN), encoding="utf-8")

    browser.open(file)

    assert hostile in images(browser)
    assert browser.evaluate("document.title") == "Storage of the fleet"
    assert browser.evaluate("document.images.length") == 0
    assert browser.complaints == []


def test_a_click_sorts_by_size_largest_first_and_another_smallest_first(
    browser: Browser, page: Path
) -> None:
    browser.open(page)

    browser.click("#images th[data-key=apparent] button")
    assert (images(browser), direction(browser, "apparent")) == (BY_SIZE, "descending")
    browser.click("#images th[data-key=apparent] button")
    assert (images(browser), direction(browser, "apparent")) == (BY_SIZE[::-1], "ascending")


def test_names_are_sorted_from_a_to_z_first(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click("#images th[data-key=apparent] button")

    browser.click("#images th[data-key=image] button")
    assert (images(browser), direction(browser, "image")) == (NAMES, "ascending")
    assert direction(browser, "apparent") is None
    browser.click("#images th[data-key=image] button")
    assert (images(browser), direction(browser, "image")) == (NAMES[::-1], "descending")


def test_every_column_can_be_sorted_with_the_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    keys = browser.evaluate(
        "[...document.querySelectorAll('#images th[data-key]')].map(head => head.dataset.key)"
    )
    browser.click("input[data-filter=images]")
    browser.press("Tab")  # what scrolls the table

    for key in keys:
        browser.press("Tab")
        browser.press("Enter")
        assert direction(browser, key) in ("ascending", "descending"), key
    assert len(keys) == 10


def test_the_filter_leaves_what_has_the_text_in_its_name(browser: Browser, page: Path) -> None:
    browser.open(page)

    browser.write("input[data-filter=images]", "MariaDB")

    assert images(browser) == ["mariadb-base", "mariadb-server"]
    assert (
        browser.evaluate(
            "document.querySelector('[data-filter=images]').closest('p').querySelector('output').value"
        )
        == "2 of 5"
    )


def test_the_switch_changes_the_bars_without_the_script(browser: Browser, page: Path) -> None:
    browser.open(page, script=False)
    assert is_shown(browser, "table.uncompressed")
    assert not is_shown(browser, "table.compressed")

    browser.click("label[for=show-compressed]")

    assert is_shown(browser, "table.compressed")
    assert not is_shown(browser, "table.uncompressed")


def test_without_its_script_the_page_has_all_and_no_control_that_does_nothing(
    browser: Browser, page: Path
) -> None:
    browser.open(page, script=False)

    assert images(browser) == NAMES
    assert browser.evaluate("document.querySelectorAll('button').length") == 0
    assert not is_shown(browser, "input[data-filter=images]")
    assert browser.complaints == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = browser.evaluate(
        "[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroller, legend')"
        " && one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML)"
    )
    assert outside == []


@pytest.mark.parametrize(
    ("width", "shown", "hidden"), [(360, "narrow", "wide"), (1280, "wide", "narrow")]
)
def test_each_width_has_its_own_drawings(
    browser: Browser, page: Path, width: int, shown: str, hidden: str
) -> None:
    browser.open(page, width=width)

    for drawing in ("treemap", "gantt"):
        assert is_shown(browser, f"svg.{drawing}.{shown}")
        assert not is_shown(browser, f"svg.{drawing}.{hidden}")


@pytest.mark.parametrize("letters", ["memwmoq", "library", "WMGOQ", "o0d8nhx"])
def test_labels_stay_within_their_boxes(browser: Browser, tmp_path: Path, letters: str) -> None:
    packages = [package(letters * (n % 5 + 1), 10**6 // (n + 1), n % 9) for n in range(150)]
    names = [(letters * 4)[:length] for length in range(1, 20)]
    turns = [turn(name, None, 0, n * 4.0, n * 4.0 + 4) for n, name in enumerate(names)]
    file = tmp_path / "labels.html"
    run = replace(RUN, turns=tuple(turns), seconds=76.0)
    file.write_text(make_page(report(packages=packages), run), encoding="utf-8")
    browser.open(file)

    labels, outside = browser.evaluate(
        "(all => [all.length, all.filter(text => {"
        "  const box = text.parentElement.querySelector('rect').getBBox();"
        "  const own = text.getBBox();"
        "  return own.x + own.width > box.x + box.width || own.y + own.height > box.y + box.height;"
        "}).map(text => text.textContent)])([...document.querySelectorAll('svg.wide g text')])"
    )
    assert labels > 20
    assert outside == []


def test_a_dark_scheme_makes_the_page_dark(browser: Browser, page: Path) -> None:
    def light_of(dark: bool) -> tuple[int, int]:
        browser.open(page, dark=dark)
        colours = browser.evaluate(
            "(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))"
        )
        ground, ink = (sum(map(int, c[4:-1].split(","))) for c in colours)
        return ground, ink

    assert light_of(dark=False)[0] > 600 > 200 > light_of(dark=False)[1]
    assert light_of(dark=True)[0] < 200 < 600 < light_of(dark=True)[1]
