"""The last build: which worker had which image when, and the chain that decided its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest

from lamina.model.amounts import time_text
from lamina.model.run import Run, Turn, critical_path
from lamina.storage.page.labels import PADDING, text_width
from lamina.storage.page.markup import Content, Markup, element, join
from lamina.storage.page.tables import Column, Table, seconds, table

_LANE = 36.0
_BAR = 28.0
_HEAD = 24.0  # for the times above the lanes
_CHILD, _NEXT = "\N{RIGHTWARDS ARROW}", "\N{RIGHTWARDS DASHED ARROW}"
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    """A chart for one width of the page."""

    key: str
    width: float
    ticks: int  # at most


_DRAWINGS = (
    _Drawing(key="wide", width=1120.0, ticks=12),
    _Drawing(key="narrow", width=360.0, ticks=5),
)


def timeline(run: Run | None) -> Markup:
    """Return the chart of a run, its critical path, and the same as a table."""
    heading = element("h2", "The last build", id="build-heading")
    if run is None or not run.turns:
        text = "The store has no record of a build. The next one that builds something leaves one."
        return element("section", heading, element("p", text), aria_labelledby="build-heading")
    path = critical_path(run)
    return element(
        "section",
        heading,
        element("p", *_told(run, path)),
        element(
            "ul",
            element("li", element("span", class_="swatch critical"), "critical path"),
            element("li", element("span", class_="swatch turn"), "other images"),
            element("li", element("span", class_="swatch before"), "fetching packages"),
            class_="legend",
        ),
        *(_chart(run, path, drawing) for drawing in _DRAWINGS),
        element("h3", "Critical path"),
        element("ol", *_links(path), class_="path"),
        element("details", element("summary", "All images as a table"), _table(run, path)),
        aria_labelledby="build-heading",
        class_="timeline",
    )


def _told(run: Run, path: Sequence[Turn]) -> Iterator[Content]:
    yield f"{_counted(run)} in {time_text(run.seconds)}, begun on "
    yield element("time", run.started.replace("T", " ").replace("Z", " UTC"), datetime=run.started)
    workers = "1 worker" if run.jobs == 1 else f"{run.jobs} workers"
    images = "1 image" if len(path) == 1 else f"{len(path)} images"
    spent = time_text(sum(turn.seconds for turn in path))
    yield f", with {workers}. The critical path has {images} and took {spent}: each waited for "
    yield f"the one before, as its child ({_CHILD}) or for a free worker ({_NEXT})."


def _counted(run: Run) -> str:
    counts = Counter(turn.outcome for turn in run.turns)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    return f"Images: {told}"


def _chart(run: Run, path: Sequence[Turn], drawing: _Drawing) -> Markup:
    lanes = max(turn.worker for turn in run.turns) + 1
    height = _HEAD + lanes * _LANE
    scale = drawing.width / max(run.seconds, run.turns[-1].ended, 0.001)
    critical = {turn.image for turn in path}
    before = run.turns[0].began * scale
    return element(
        "svg",
        element("title", "Which worker had which image when; the table below has the same"),
        *_ticks(run, scale, height, drawing.ticks),
        *(_lane(lane, before, drawing.width) for lane in range(lanes)),
        *(_bar(turn, scale, critical=turn.image in critical) for turn in run.turns),
        *(_handover(one, other, scale) for one, other in pairwise(path)),
        role="img",
        class_=f"gantt {drawing.key}",
        viewBox=f"0 0 {drawing.width:.0f} {height:.0f}",
    )


def _ticks(run: Run, scale: float, height: float, most: int) -> Iterator[Markup]:
    every = next((tick for tick in _TICKS if run.seconds / tick <= most), _TICKS[-1])
    for second in range(0, int(run.seconds) + 1, every):
        x = second * scale
        yield element("line", x1=x, x2=x, y1=_HEAD - 6, y2=height, class_="tick")
        text = _clock(second)
        if (run.seconds - second) * scale >= text_width(text) + PADDING:  # or it would be cut off
            yield element("text", text, x=x + 4, y=_HEAD - 10, class_="small")


def _lane(lane: int, before: float, width: float) -> Markup:
    y = _HEAD + lane * _LANE + (_LANE - _BAR) / 2
    return join(
        element("rect", x=0.0, y=y, width=width, height=_BAR, class_="lane"),
        element("rect", x=0.0, y=y, width=before, height=_BAR, class_="before"),
    )


def _bar(turn: Turn, scale: float, *, critical: bool) -> Markup:
    x, width = turn.began * scale, max(turn.seconds * scale, 0.5)
    y = _HEAD + turn.worker * _LANE + (_LANE - _BAR) / 2
    # A gap between neighbours, where there is room for one.
    shown = width - 1 if width > 2 else width
    label = str(turn.image)
    fits = text_width(label, bold=critical) + 2 * PADDING <= shown
    good = turn.outcome in ("built", "tested", "pulled", "unchanged")
    return element(
        "g",
        element("title", _title(turn)),
        element("rect", x=x, y=y, width=shown, height=_BAR, rx=2.0),
        element("text", label, x=x + PADDING, y=y + _BAR / 2 + 4) if fits else "",
        class_=("critical" if critical else "turn") + ("" if good else " bad"),
        data_image=str(turn.image),
    )


def _handover(one: Turn, other: Turn, scale: float) -> Markup:
    """Return the line from the end of a turn to the start of the one that waited for it."""
    if one.worker == other.worker:
        return Markup("")
    middle = _HEAD + _LANE / 2
    return element(
        "line",
        x1=one.ended * scale,
        y1=middle + one.worker * _LANE,
        x2=other.began * scale,
        y2=middle + other.worker * _LANE,
        class_="handover",
    )


def _title(turn: Turn) -> str:
    ends = [*(step.began for step in turn.steps[1:]), turn.ended]
    spent: Counter[str] = Counter()
    for step, end in zip(turn.steps, ends, strict=False):
        spent[step.name] += round(1000 * (end - step.began))
    longest = sorted(spent.items(), key=lambda item: (-item[1], item[0]))
    steps = ", ".join(f"{name} {time_text(span / 1000)}" for name, span in longest[:4])
    head = f"{turn.image}: {turn.outcome} in {time_text(turn.seconds)} by worker {turn.worker + 1}"
    return f"{head} ({steps})" if steps else head


def _links(path: Sequence[Turn]) -> Iterator[Markup]:
    for turn, after in zip_longest(path, path[1:]):
        arrow = "" if not after else _CHILD if after.parent == turn.image else _NEXT
        yield element(
            "li",
            element("span", str(turn.image), class_="name"),
            " ",
            seconds(turn.seconds),
            element("span", arrow, class_="link"),
        )


def _table(run: Run, path: Sequence[Turn]) -> Markup:
    return table(
        Table(
            key="turns",
            caption="When each image had a worker",
            columns=(
                Column(key="image", heading="Image", numbers=False),
                Column(key="outcome", heading="Outcome", numbers=False),
                Column(key="critical", heading="Critical", numbers=False),
                Column(key="worker", heading="Worker"),
                Column(key="began", heading="Began"),
                Column(key="took", heading="Took"),
            ),
            rows=[
                (
                    str(turn.image),
                    turn.outcome,
                    "yes" if turn in path else "",
                    turn.worker + 1,
                    seconds(turn.began),
                    seconds(turn.seconds),
                )
                for turn in run.turns
            ],
        )
    )


def _clock(second: int) -> str:
    """Return a time of the run: `0:45`, `12:00`, `1:02:00`."""
    minutes, seconds_ = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds_:02}" if hours else f"{minutes}:{seconds_:02}"
