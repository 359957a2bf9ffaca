// Speed against latency: a path a row through its batch sizes, the cells that nothing beats joined in bold, what breaks a limit grey.
"use strict";
const frontier = (() => {
  const LOG_RANGE = 20; // values spread wider than this are drawn on a logarithmic axis
  const { round } = drawing;

  // The points that no other beats in both directions, from the shortest latency on.
  function front(points, less) {
    const better = (a, b) => (less ? a < b : a > b);
    const sorted = points.toSorted((a, b) => a.x - b.x || (less ? a.y - b.y : b.y - a.y));
    const found = [];
    for (const point of sorted) if (!found.length || better(point.y, found.at(-1).y)) found.push(point);
    return found;
  }

  function pointsOf(group, decision, axis, hidden, colours) {
    return group.options
      .map((option, i) => ({ option, i, at: option.y[axis], kept: decision.kept.has(i) }))
      .filter(({ option, at }) => at && !hidden.frameworks.has(String(option.f)) && !hidden.precisions.has(option.p))
      .map(({ option, i, at, kept }) => ({
        option, i, kept, x: option.x[0], x1: option.x[1] ?? option.x[0], x2: option.x[2], y: at[0], y1: at[1], y2: at[2],
        colour: colours[option.look % colours.length],
      }));
  }

  function words(point, axis, decision) {
    const { option } = point;
    const ends = point.y1 === null || point.y2 === null ? "" : ` (${round(point.y1)} to ${round(point.y2)})`;
    const lines = [option.name, `${axis.title}: ${round(point.y)}${ends} ${axis.unit}`.trim(), `Latency: ${round(point.x)} ms (${option.x_kind})`];
    if (option.latency !== null && 1e3 * option.latency > point.x * 1.001)
      lines.push(`Held against a limit: ${round(1e3 * option.latency)} ms (${option.latency_kind})`);
    if (!point.kept) lines.push("Breaks a limit");
    if (decision.choice === point.i) lines.push("The choice");
    else if (decision.ties.includes(point.i)) lines.push("May be as good as the choice");
    return lines.join("\n");
  }

  function path(own) {
    const { option, colour } = own[0];
    return Plot.line(own, { x: "x", y: "y", stroke: colour, strokeWidth: 1.3, strokeOpacity: 0.55, strokeDasharray: option.dash || undefined });
  }

  function dots(own, edge, page, ariaDescription) {
    const { option } = own[0];
    const colour = (d) => (d.kept ? d.colour : page.ink.grey);
    return Plot.dot(own, {
      x: "x", y: "y", ariaDescription, r: 4.4, symbol: drawing.symbolOf(page.symbols[option.symbol]), stroke: colour, strokeWidth: 1.4,
      fill: (d) => (option.fill === "full" ? colour(d) : page.ink.ground),
      opacity: (d) => (d.kept ? (edge.includes(d) ? 1 : 0.5) : 0.35),
    });
  }

  function marks(points, { x, y }, edge, series, page, axis, decision, limit) {
    const chosen = points.filter((p) => p.i === decision.choice);
    return [
      ...(limit === undefined ? [] : [Plot.ruleX([1e3 * limit], { stroke: page.ink.ink, strokeDasharray: "4 3" })]),
      ...intervals.marks(points, "y", y, { strokeOpacity: 0.5 }),
      ...intervals.marks(points.filter((p) => p.x2 > p.x1), "x", x, { strokeOpacity: 0.4 }),
      ...series.map(path),
      Plot.line(edge, { x: "x", y: "y", curve: "step-after", stroke: page.ink.ink, strokeWidth: 2.4, strokeOpacity: 0.8 }),
      ...series.map((own) => dots(own, edge, page)),
      Plot.dot(chosen, { x: "x", y: "y", ariaDescription: "ring", r: 9, stroke: page.ink.ink, strokeWidth: 1.6, fill: page.ink.ground, fillOpacity: 0.75 }),
      ...(chosen.length ? [dots(chosen, chosen, page, "choice")] : []), // once more, over what lies at the same place
      Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (d) => words(d, axis, decision), fill: page.ink.ground, maxRadius: 30 })),
    ];
  }

  // Draws one machine's frontier into its place.
  function draw(place, group, decision, limit, page, hidden, printing) {
    const wanted = state.get("y");
    const name = wanted in page.axes && group.options.some((o) => o.y[wanted]) ? wanted : "throughput";
    const axis = page.axes[name];
    const points = pointsOf(group, decision, name, hidden, page.colours);
    place.classList.toggle("empty", !points.length);
    place.dataset.kept = points.filter((p) => p.kept).length;
    place.dataset.points = points.length;
    if (!points.length) return place.replaceChildren();
    const series = [...Map.groupBy(points, (p) => p.option.row).values()].map((own) => own.toSorted((a, b) => a.option.size - b.option.size));
    const edge = front(points.filter((p) => p.kept), !axis.more);
    const width = printing ? 660 : Math.max(300, place.clientWidth);
    const room = drawing.roomFor(series.map((own) => own[0].option.row), width);
    const size = { width, height: printing ? 330 : Math.min(460, Math.max(340, width * 0.5)), right: room, ink: page.ink };
    const values = points.map((p) => p.y);
    const log = name !== "accuracy" && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > LOG_RANGE;
    const x = drawing.scaleOf(points.flatMap((p) => [p.x, p.x2]), width - room - 62, { log: true, ends: intervals.ends(points, "x") });
    const y = drawing.scaleOf(values, size.height - 66, { log, less: !axis.more, zero: name !== "accuracy", upward: true, ends: intervals.ends(points, "y") });
    const title = `${axis.title}${axis.unit ? ` (${axis.unit})` : ""}${axis.more ? "" : ", less is higher up"}`;
    const chart = drawing.plane(x, y, size, { x: "Latency of a batch (ms)", y: title }, marks(points, { x, y }, edge, series, page, axis, decision, limit));
    const ends = series.map((own) => ({ ...own.at(-1), name: own[0].option.row, dim: own.every((p) => !p.kept) }));
    drawing.nameEnds(chart, ends, width, room);
    intervals.explain(chart);
    chart.setAttribute("aria-hidden", "true"); // the place has a label, and the cells a table
    chart.addEventListener("click", () => chart.value && drawer.open(chart.value.option.key));
    place.replaceChildren(chart);
  }

  return { draw, front };
})();
