// The other figures, one function a kind; what a chart's points hold stands in `report/page/figure_data.py`.
"use strict";
const figures = (() => {
  const ROW = 24; // px of a row
  const PARTS = [["copy in", 0, "in"], ["compute", 2, ""], ["copy out", 3, "out"]]; // name, place among the phases, hatch
  const { round, scaleOf } = drawing;
  const both = (low, high) => low !== null && high !== null;
  const reading = (value, low, high) => `${round(value)}${both(low, high) ? ` (${round(low)} to ${round(high)})` : ""}`;

  // Series as marks share them: points as objects with the series' look.
  function spread(chart, hidden, look, point) {
    return chart.series
      .filter((series) => !hidden.frameworks.has(String(series.f)) && !hidden.precisions.has(series.p))
      .map((series) => {
        const colour = look.colours[series.look % look.colours.length];
        const points = series.points.map((values) => ({ ...point(values, series), name: series.name, colour }));
        return { series, colour, points: points.filter((p) => p.y !== null && p.x !== null) };
      })
      .filter(({ points }) => points.length);
  }

  const marker = ({ series, colour, points }, look, more = {}) =>
    Plot.dot(points, {
      x: "x", y: "y", r: 4.2, symbol: drawing.symbolOf(look.symbols[series.symbol]), stroke: colour,
      fill: series.fill === "full" ? colour : look.ink.ground, strokeWidth: 1.4, ...more,
    });

  const tip = (points, look, title, more = {}) => Plot.tip(points, Plot.pointer({ x: "x", y: "y", title, fill: look.ink.ground, maxRadius: 30, ...more }));

  function lines(chart, { hidden, look, size, log }) {
    const found = spread(chart, hidden, look, ([at, value, low, high]) => ({ x: at, y: value, y1: low, y2: high }));
    const points = found.flatMap((one) => one.points);
    if (!points.length) return null;
    const right = drawing.roomFor(found.map(({ series }) => series.name), size.width);
    const wide = size.width - right - 62;
    const x = scaleOf(points.map((p) => p.x), wide, { log: log.x });
    const most = Math.floor(wide / 30);
    const sizes = chart.x.ticks.filter((tick) => tick >= x.domain[0] && tick <= x.domain[1]);
    x.ticks = sizes.filter((_, i) => i % Math.ceil(sizes.length / most) === 0);
    const y = scaleOf(points.map((p) => p.y), size.height - 66, { log: log.y, upward: true, ends: intervals.ends(points, "y") });
    const drawn = drawing.plane(x, y, { ...size, right }, { x: chart.x.title, y: chart.y.title }, [
      ...intervals.marks(points, "y", y, { strokeOpacity: 0.6 }),
      ...found.map(({ series, colour, points: own }) => Plot.line(own, { x: "x", y: "y", stroke: colour, strokeWidth: 1.5, strokeDasharray: series.dash || undefined })),
      ...found.map((one) => marker(one, look)),
      tip(points, look, (p) => `${p.name}, batch size ${p.x}\n${chart.y.title}: ${reading(p.y, p.y1, p.y2)}`),
    ]);
    drawing.nameEnds(drawn, found.map(({ points: own, colour }) => ({ name: own[0].name, colour, ...own.at(-1) })), size.width, right);
    return drawn;
  }

  function fit(chart, { hidden, look, size, log }) {
    const sizes = [...new Set(chart.series.flatMap((s) => s.points.map(([at]) => at)))].sort((a, b) => a - b);
    const found = spread(chart, hidden, look, ([at, power, low, high, speed, least, most]) => ({
      x: speed, y: power, y1: low, y2: high, x1: least, x2: most, size: at, r: 3 + (3.6 * sizes.indexOf(at)) / Math.max(1, sizes.length - 1),
    }));
    const points = found.flatMap((one) => one.points);
    if (!points.length) return null;
    const x = scaleOf(points.map((p) => p.x), size.width - 90, { log: log.x, ends: intervals.ends(points, "x") });
    const y = scaleOf(points.map((p) => p.y), size.height - 66, { log: log.y, upward: true, ends: intervals.ends(points, "y") });
    const fitted = ({ series: { fit: line }, points: own }) => {
      const [first, last] = [Math.min(...own.map((p) => p.x)), Math.max(...own.map((p) => p.x))];
      return Array.from({ length: 25 }, (_, i) => first + ((last - first) * i) / 24).map((at) => ({ x: at, y: line[1] + line[0] * at }));
    };
    return drawing.plane(x, y, { ...size, right: 18 }, { x: chart.x.title, y: chart.y.title }, [
      ...intervals.marks(points, "y", y, { strokeOpacity: 0.5 }),
      ...intervals.marks(points, "x", x, { strokeOpacity: 0.5 }),
      ...found.filter(({ series }) => series.fit).map((one) => Plot.line(fitted(one).filter((p) => p.y > 0 || !log.y), { x: "x", y: "y", stroke: one.colour, strokeWidth: 1.3, strokeOpacity: 0.75, strokeDasharray: one.series.dash || undefined })),
      ...found.map((one) => marker(one, look, { r: "r" })),
      tip(points, look, (p) => `${p.name}, batch size ${p.size}\n${round(p.x)} images/s, ${reading(p.y, p.y1, p.y2)} W`),
    ]);
  }

  // A figure whose rows are series, one batch size at a time.
  function rows(found, scale, title, { size, look }, marks) {
    const names = found.map(({ series }) => series.name);
    const longest = Math.min(0.42 * size.width, Math.max(...names.map((name) => 7 * name.length)) + 16);
    const x = scale(size.width - longest - 20);
    const fits = Math.floor((longest - 12) / 7);
    return Plot.plot({
      width: size.width, height: names.length * ROW + 56, marginLeft: longest, marginRight: 20, marginTop: 8, marginBottom: 42,
      style: { color: look.ink.ink, background: "none", fontSize: "12px", overflow: "visible" },
      x: { ...x, ticks: undefined, axis: null }, y: { type: "point", domain: names, axis: null, padding: 0.5 },
      marks: [
        Plot.gridX(x.ticks, { strokeOpacity: 0.12 }),
        Plot.ruleY(names, { strokeOpacity: 0.08 }),
        Plot.axisX(x.ticks, { text: ticks.label, tickSize: 0, label: `${title} →`, labelAnchor: "center", labelArrow: "none" }),
        Plot.axisY(names, { text: (name) => (name.length > fits ? `${name.slice(0, fits / 2 - 1)}…${name.slice(1 - fits / 2)}` : name), tickSize: 0, label: null }),
        ...marks(x),
      ],
    });
  }

  const chosen = (chart, batch) => (batch === "0" ? chart.first_size : Number(batch));

  function dots(chart, how) {
    const at = chosen(chart, how.batch);
    const found = spread(chart, how.hidden, how.look, ([size, value, low, high], series) => ({ x: size === at ? value : null, y: series.name, x1: low, x2: high }));
    const points = found.flatMap((one) => one.points);
    if (!points.length) return null;
    const scale = (room) => scaleOf(points.map((p) => p.x), room, { log: how.log.x, ends: intervals.ends(points, "x") });
    return rows(found, scale, chart.x.title, how, (x) => [
      ...intervals.marks(points, "x", x, { strokeOpacity: 1, strokeWidth: 1.4 }),
      ...found.map((one) => marker(one, how.look)),
      tip(points, how.look, (p) => `${p.name}\n${chart.x.title}: ${reading(p.x, p.x1, p.x2)}`),
    ]);
  }

  function boxes(chart, how) {
    const at = chosen(chart, how.batch);
    const found = spread(chart, how.hidden, how.look, ([size, ...q], series) => ({ x: size === at ? q[2] : null, y: series.name, q }));
    const points = found.flatMap((one) => one.points).map((p) => ({ ...p, low: p.q[0], q1: p.q[1], q3: p.q[3], high: p.q[5] }));
    if (!points.length) return null;
    const scale = (room) => scaleOf(points.flatMap((p) => [p.low, p.high]), room, { log: how.log.x });
    const said = (p) => `${p.name}\nmedian ${round(p.q[2])}\n5 % ${round(p.q[0])}, 25 % ${round(p.q[1])}, 75 % ${round(p.q[3])}\n95 % ${round(p.q[4])}, 99 % ${round(p.q[5])}`;
    return rows(found, scale, chart.x.title, how, () => [
      Plot.ruleY(points, { y: "y", x1: "low", x2: "high", stroke: "colour", strokeWidth: 1.3 }),
      Plot.ruleY(points, { y: "y", x1: "q1", x2: "q3", stroke: "colour", strokeWidth: 6, strokeOpacity: 0.6 }),
      ...found.map((one) => marker(one, how.look)),
      tip(points, how.look, said),
    ]);
  }

  // The parts of a row's bar one after another, in milliseconds or as shares of their sum.
  function partsOf([, ...phases], share) {
    const parts = PARTS.filter(([, place]) => phases[place] !== null);
    const sum = parts.reduce((total, [, place]) => total + phases[place], 0) || 1;
    let from = 0;
    return parts.map(([part, place, hatch], i) => {
      const ms = phases[place];
      const length = share ? (100 * ms) / sum : ms;
      from += length;
      return { part, hatch, ms, share: (100 * ms) / sum, x1: from - length, x2: from, enqueue: phases[1], total: i === parts.length - 1 ? phases[4] : "" };
    });
  }

  function phase_bars(chart, how) {
    const at = chosen(chart, how.batch);
    const found = spread(chart, how.hidden, how.look, (values, series) => ({ x: values[0] === at ? 0 : null, y: series.name, values }));
    const parts = found.flatMap(({ points: [point] }) => partsOf(point.values, how.share).map((part) => ({ ...part, y: point.y, name: point.name, colour: point.colour })));
    if (!parts.length) return null;
    const end = how.share ? 100 : Math.max(...parts.map((p) => p.x2));
    const title = how.share ? `Share of time, batch size ${at} (%)` : `Time, batch size ${at} (ms)`;
    const scale = (room) => {
      const domain = [0, (end * room) / Math.max(room - 62, 1)];
      return { type: "linear", domain, ticks: how.share ? [0, 20, 40, 60, 80, 100] : ticks.linear(0, end, Math.max(2, Math.floor(room / 60))) };
    };
    const said = (p) => {
      const told = p.part === "compute" && p.enqueue !== null ? `compute; the call returned after ${round(p.enqueue)} ms` : p.part;
      return `${p.name}\n${told}\n${round(p.ms)} ms, ${round(p.share)} %`;
    };
    const half = (p) => ({ ...p, x: (p.x1 + p.x2) / 2 });
    return rows(found, scale, title, how, () => [
      Plot.ruleY(parts, { y: "y", x1: "x1", x2: "x2", stroke: (p) => (p.hatch ? `url(#hatch-${p.hatch})` : p.colour), strokeWidth: 14 }),
      Plot.text(parts.filter((p) => p.total), { x: "x2", y: "y", text: "total", dx: 6, textAnchor: "start", fill: how.look.ink.ink }),
      tip(parts.map(half), how.look, said, { maxRadius: 60 }),
    ]);
  }

  // The names of the series that have a point to draw.
  function shownIn(chart, how) {
    const at = ["dots", "boxes", "phase_bars"].includes(chart.kind) ? chosen(chart, how.batch) : null;
    return chart.series
      .filter((s) => !how.hidden.frameworks.has(String(s.f)) && !how.hidden.precisions.has(s.p) && s.points.some((p) => at === null || p[0] === at))
      .map(({ name }) => name);
  }

  const KINDS = { lines, fit, dots, boxes, phase_bars };

  // Draws a chart into its place; `how`: what is hidden, the look, size, batch size, axes and shares.
  function draw(place, chart, how) {
    const drawn = KINDS[chart.kind](chart, how);
    place.classList.toggle("empty", !drawn);
    if (drawn) intervals.explain(drawn);
    place.dataset.series = drawn ? shownIn(chart, how).join("|") : "";
    drawn?.setAttribute("aria-hidden", "true"); // the place has a label, and the data a table
    place.replaceChildren(...(drawn ? [drawn] : []));
  }

  return { draw, partsOf };
})();
