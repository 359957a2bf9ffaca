// What every figure is drawn with: markers, scales and axes.
"use strict";
const drawing = (() => {
  const { svg } = dom;
  const LABEL_PX = 13;
  const LEAST_REACH = 1.25; // times a logarithmic domain goes on for an interval, however narrow it is itself
  const round = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });

  // A marker as Plot draws it; corners are of a box of 14 by 14, a circle has none.
  function symbolOf(corners) {
    if (!corners.length) return "circle";
    return {
      draw(context, size) {
        const scale = Math.sqrt(size / Math.PI) / 4.6;
        corners.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x * scale, y * scale));
        context.closePath();
      },
    };
  }

  // A scale over some values: its domain with some room, and its ticks; no logarithmic one has a place for 0.
  // It goes on to the ends of intervals that are no further out than the values' own domain is long: points stay readable.
  function scaleOf(values, pixels, { log: wished, less = false, zero = true, upward = false, ends = [] }) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const log = wished && low > 0;
    const over = log ? logDomain : (...range) => linearDomain(...range, zero);
    const own = over(low, high);
    const near = ends.filter(log ? logNear(own) : linearNear(own));
    const whole = over(Math.min(low, ...near), Math.max(high, ...near));
    const domain = [Math.min(own[0], whole[0]), Math.max(own[1], whole[1])];
    return { type: log ? "log" : "linear", domain, ticks: ticks.of(domain, { pixels, log, upward }), reverse: less };
  }

  const linearNear = ([low, high]) => (end) => end >= 2 * low - high && end <= 2 * high - low;
  const logNear = ([low, high]) => {
    const times = Math.max(high / low, LEAST_REACH);
    return (end) => end >= low / times && end <= high * times;
  };

  function linearDomain(low, high, zero) {
    const room = 0.05 * (high - low || Math.abs(high) || 1);
    return zero ? [Math.min(0, low), high + room] : [low - room, high + room];
  }

  function logDomain(low, high) {
    const room = low === high ? 1.5 : Math.max(1.005, (high / low) ** 0.05);
    return [low / room, high * room];
  }

  // Ticks as text of our own, since a logarithmic scale leaves out labels of its own accord.
  function axisMarks(x, y, titles) {
    const look = { text: ticks.label, tickSize: 0, labelArrow: "none" };
    return [
      Plot.gridX(x.ticks, { strokeOpacity: 0.12 }),
      Plot.gridY(y.ticks, { strokeOpacity: 0.12 }),
      Plot.axisX(x.ticks, { ...look, label: `${titles.x} →`, labelAnchor: "center" }),
      Plot.axisY(y.ticks, { ...look, label: `↑ ${titles.y}`, labelAnchor: "top" }),
    ];
  }

  // A figure of two quantities.
  const plane = (x, y, { width, height, right, ink }, titles, marks) =>
    Plot.plot({
      width, height, marginLeft: 62, marginRight: right, marginTop: 24, marginBottom: 42,
      style: { color: ink.ink, background: "none", fontSize: "12px", overflow: "visible" },
      x: { ...x, ticks: undefined, axis: null }, y: { ...y, ticks: undefined, axis: null },
      marks: [...axisMarks(x, y, titles), ...marks],
    });

  // Positions pushed apart so that no two are nearer than a line of text, none below `bottom`.
  function apart(positions, bottom) {
    const order = positions.map((at, i) => ({ at, i })).sort((a, b) => a.at - b.at);
    let least = -Infinity;
    for (const one of order) least = (one.at = Math.max(one.at, least)) + LABEL_PX;
    let most = bottom;
    for (const one of order.toReversed()) most = (one.at = Math.min(one.at, most)) - LABEL_PX;
    return order.toSorted((a, b) => a.i - b.i).map(({ at }) => at);
  }

  const LABEL_FONT = 11.5; // px
  const pen = document.createElement("canvas").getContext("2d");
  function lengthOf(text) {
    pen.font = `${LABEL_FONT}px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(text).width;
  }

  // The room that names need beside a plot (px); of a narrow plot not more than a share.
  const roomFor = (names, width) => Math.min(Math.max(...names.map(lengthOf)) + 14, Math.max(122, 0.2 * width));

  // A name cut in its middle where it does not fit.
  function fitted(name, room) {
    let kept = name.length;
    const cut = () => (kept < name.length ? `${name.slice(0, kept / 2)}…${name.slice(-kept / 2)}` : name);
    while (kept > 4 && lengthOf(cut()) > room) kept -= 2;
    return cut();
  }

  // Names beside the ends of paths; an end has `name`, `colour`, `x`, `y`, may be `dim`, and `x2` is where its bar ends.
  // What leads there is grey and dotted, since it is no interval.
  function nameEnds(chart, ends, width, room) {
    const root = chart.tagName === "svg" ? chart : chart.querySelector("svg");
    const [x, y] = [chart.scale("x"), chart.scale("y")];
    const heights = ends.map((end) => y.apply(end.y));
    const places = apart(heights, Math.max(...y.range));
    ends.forEach(({ name, colour, x: value, x2 = value, dim }, i) => {
      const from = x.apply(x2) + 6;
      const way = `M${from},${heights[i]}L${Math.max(from, width - room + 6)},${places[i]}`;
      svg("path", { d: way, class: "leader", stroke: "currentColor", "stroke-opacity": 0.45, "stroke-dasharray": "1 3", fill: "none" }, root);
      const text = svg("text", { x: width - room + 10, y: places[i] + 4, fill: colour, opacity: dim ? 0.45 : 1, "font-size": LABEL_FONT, "text-anchor": "start" }, root);
      text.textContent = fitted(name, room - 10);
    });
  }

  return { round, symbolOf, scaleOf, plane, nameEnds, roomFor };
})();
