"""Report -> inline SVG: metrics by tag, the refusal curve, latencies; colours come from the page around them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.text.html import Html, element, join, text

PANELS = ("hit@1", "fact_recall", "refusal_recall", "false_refusals")
ROW, LABEL, PANEL, GAP = 20, 190, 150, 30  # pixels
SIDE = 300
BINS = 24

Row = Mapping[str, Any]


def by_tag(tags: Mapping[str, Mapping[str, Mapping[str, Any]]], metrics: Sequence[str] = PANELS) -> Html:
    """Return one panel for each metric: a dot and its 95 % interval for each tag, from 0 to 1."""
    height = ROW * (len(tags) + 2)
    width = LABEL + len(metrics) * (PANEL + GAP)
    names = [_label(LABEL - 10, _middle(n) + 4, tag, text_anchor="end") for n, tag in enumerate(tags)]
    panels = [_panel(LABEL + n * (PANEL + GAP), metric, tags) for n, metric in enumerate(metrics)]
    return _svg(width, height, "Metrics by tag, each with its 95 % interval", *names, *panels)


def _panel(left: float, metric: str, tags: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Html:
    bottom = ROW * (len(tags) + 1)
    grid = [_line(left + PANEL * x, ROW, left + PANEL * x, bottom, "grid") for x in (0, 0.5, 1)]
    ticks = [_label(left + PANEL * x, bottom + 14, f"{x:g}", text_anchor="middle") for x in (0, 0.5, 1)]
    title = _label(left, ROW - 7, metric, class_="strong")
    marks = [_whisker(left, _middle(n), tag, values[metric]) for n, (tag, values) in enumerate(tags.items())]
    return join(title, *grid, *ticks, *marks)


def _whisker(left: float, y: float, tag: str, entry: Mapping[str, Any]) -> Html:
    if entry["value"] is None:
        return Html("")
    x = left + PANEL * entry["value"]
    said = f"{tag}: {entry['value']:.2f} ({entry['low']:.2f} to {entry['high']:.2f}), n = {entry['n']}"
    line = _line(left + PANEL * entry["low"], y, left + PANEL * entry["high"], y, "mark")
    dot = element("circle", element("title", text(said)), cx=f"{x:.1f}", cy=f"{y:.1f}", r=3.5, class_="dot")
    return join(line, dot)


def _middle(row: int) -> float:
    return ROW * (row + 1.5)


def refusal_curve(rows: Sequence[Row]) -> Html:
    """Return recall of refusals against false refusals for every threshold on the cosine, and the point of the answers given.

    Where a kind of turn is missing it says so in words instead.
    """
    points = curve([(row["cosine"], _must(row)) for row in rows if row["cosine"] is not None and _must(row)])
    false, recall = (_share(rows, metric) for metric in ("false_refusals", "refusal_recall"))
    if not points or false is None or recall is None:
        reason = (
            "No refusal curve: it takes turns that must be answered and turns that must not, all with something to search for."
        )
        return element("p", text(reason))
    at = [(_x(x), _y(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    grid = [_line(_x(v), _y(0), _x(v), _y(1), "grid") for v in (0, 0.5, 1)]
    grid += [_line(_x(0), _y(v), _x(1), _y(v), "grid") for v in (0, 0.5, 1)]
    ticks = [_label(_x(v), SIDE + 36, f"{v:g}", text_anchor="middle") for v in (0, 0.5, 1)]
    ticks += [_label(34, _y(v) + 4, f"{v:g}", text_anchor="end") for v in (0, 0.5, 1)]
    said = f"The answers given: {false:.2f} false refusals, {recall:.2f} refusal recall"
    dot = element("circle", element("title", text(said)), cx=f"{_x(false):.1f}", cy=f"{_y(recall):.1f}", r=5, class_="dot")
    line = element("polyline", points=path, class_="curve")
    names = [_label(40, 12, "refusal recall"), _label(40 + SIDE, SIDE + 52, "false refusals", text_anchor="end")]
    return _svg(
        SIDE + 80, SIDE + 60, f"Refusals. Line: a threshold on the cosine alone. {said}.", *grid, *ticks, line, dot, *names
    )


def curve(scored: Sequence[tuple[float, str]]) -> list[tuple[float, float]]:
    """Return (false refusals, refusal recall) for each threshold below which a turn would be refused, from none to all.

    ``scored`` holds (score, "answer" or "decline"); empty when one of the two is missing.

    >>> curve([(0.9, "answer"), (0.2, "decline"), (0.5, "answer")])
    [(0.0, 0.0), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0)]
    """
    answer, decline = (sorted(score for score, must in scored if must == kind) for kind in ("answer", "decline"))
    if not answer or not decline:
        return []
    limits = [float("-inf"), *sorted({score for score, _ in scored})]
    return [(bisect_right(answer, limit) / len(answer), bisect_right(decline, limit) / len(decline)) for limit in limits]


def _must(row: Row) -> str:
    if "refusal_recall" in row["scores"]:
        return "decline"
    return "answer" if "false_refusals" in row["scores"] else ""


def _share(rows: Sequence[Row], metric: str) -> float | None:
    got = [row["scores"][metric][0] for row in rows if metric in row["scores"]]
    return sum(got) / len(got) if got else None


def _x(share: float) -> float:
    return 40 + SIDE * share


def _y(share: float) -> float:
    return 20 + SIDE * (1 - share)


def histogram(latencies: Sequence[float]) -> Html:
    """Return how many turns took how many milliseconds; the last bar holds all that took longer than the 99th percentile."""
    if not latencies:
        return element("p", text("No latencies: nothing was asked."))
    ordered = sorted(latencies)
    top = max(ordered[int(0.99 * (len(ordered) - 1))], 0.1)
    counts = [0] * BINS
    for value in ordered:
        counts[min(int(BINS * value / top), BINS - 1)] += 1
    width, height = SIDE * 1.6, SIDE / 2
    step = width / BINS
    bars = [_bar(40 + n * step, step - 1, height, count / max(counts), _span(n, top, count)) for n, count in enumerate(counts)]
    ticks = [_label(40 + width * v, height + 32, f"{top * v:.1f} ms", text_anchor="middle") for v in (0, 0.5, 1)]
    return _svg(width + 90, height + 40, f"Latency of {len(ordered)} turns", *bars, *ticks)


def _span(number: int, top: float, count: int) -> str:
    last = "and more" if number == BINS - 1 else f"to {top * (number + 1) / BINS:.1f} ms"
    return f"{top * number / BINS:.1f} {last}: {count} turns"


def _bar(left: float, width: float, height: float, share: float, said: str) -> Html:
    size = {
        "x": f"{left:.1f}",
        "y": f"{16 + height * (1 - share):.1f}",
        "width": f"{width:.1f}",
        "height": f"{height * share:.1f}",
    }
    return element("rect", element("title", text(said)), class_="bar", **size)


def _svg(width: float, height: float, title: str, *parts: Html) -> Html:
    attributes = {"viewBox": f"0 0 {width:.0f} {height:.0f}", "width": f"{width:.0f}", "height": f"{height:.0f}", "role": "img"}
    return element("svg", element("title", text(title)), *parts, **attributes)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return element("line", x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}", class_=kind)


def _label(x: float, y: float, said: str, **attributes: object) -> Html:
    return element("text", text(said), x=f"{x:.1f}", y=f"{y:.1f}", **attributes)
