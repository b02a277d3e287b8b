"""The page as a whole: head, answer, figures, and the sections in their order."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from lamina.model.run import Run
from lamina.storage.page.arrangements import arrangements
from lamina.storage.page.images import image_table, image_tree
from lamina.storage.page.markup import Content, Markup, element, join
from lamina.storage.page.packages import packages
from lamina.storage.page.tables import TIMES, size
from lamina.storage.page.timeline import timeline
from lamina.storage.report import StorageReport

_TITLE = "Storage of the fleet"


def make_page(report: StorageReport, run: Run | None) -> str:
    """Return the report, and how the last build went, as one HTML file.

    Whatever comes from outside is escaped. The page loads nothing and its policy lets it load
    nothing; of scripts, the policy allows the page's own one only. The same report and the same
    run give the same bytes.
    """
    style, script = _part("page.css"), _part("page.js")
    head = element(
        "head",
        element("meta", charset="utf-8"),
        _policy(script),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", _TITLE),
        # Or a browser asks the server for one.
        element("link", rel="icon", href="data:,"),
        element("style", style),
    )
    body = element(
        "body",
        element(
            "header", element("h1", _TITLE), element("p", f"{report.answer}.", class_="answer")
        ),
        element("main", _figures(report), *_sections(report, run)),
        element("footer", element("p", "Made by ", element("code", "lamina storage --html"), ".")),
        element("script", script),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _part(name: str) -> Markup:
    return Markup(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _policy(script: str) -> Markup:
    digest = b64encode(sha256(script.encode()).digest()).decode()
    content = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return element("meta", http_equiv="Content-Security-Policy", content=content)


def _sections(report: StorageReport, run: Run | None) -> tuple[Markup, ...]:
    built: tuple[Markup, ...] = ()
    if report.images:
        built = (
            arrangements(report),
            packages(report),
            image_table(report),
            image_tree(report),
        )
    return (*built, timeline(run))


def _figures(report: StorageReport) -> Markup:
    """Return the figures of the fleet as a whole."""
    unique, apparent, bound = report.unique, report.apparent, report.lower_bound
    return element(
        "dl",
        _figure("Images", len(report.images), f"{len(report.layers)} layers"),
        _figure("Every layer once", *_both(unique.uncompressed, unique.compressed)),
        _figure("Image by image", *_both(apparent.uncompressed, apparent.compressed)),
        _figure("Lower bound", *_both(bound.uncompressed, bound.compressed)),
        _figure(
            "To lower bound",
            f"{report.ratio:.3f} {TIMES}",
            f"{report.compressed_ratio:.3f} {TIMES} compressed",
        ),
        _figure("In a registry", size(report.registry), "all blobs"),
        _figure(
            "On a node with all",
            size(report.node.disk),
            join(size(report.node.uncompressed), " of tar"),
        ),
        class_="figures",
    )


def _both(uncompressed: int, compressed: int) -> tuple[Content, Content]:
    return size(uncompressed), join(size(compressed), " compressed")


def _figure(name: str, value: Content, beside: Content) -> Markup:
    return element(
        "div",
        element("dt", name),
        element("dd", value),
        element("dd", beside, class_="beside"),
    )
