// Intervals as bars with caps; an end that its axis cannot hold is an arrow head, and the figure says so.
"use strict";
const intervals = (() => {
  const MARKER_PX = 4.6; // at which a symbol's corners are in pixels
  const NOTE_PX = 18;
  const CAPS = { x: [[0, -3.5], [0, 3.5]], y: [[-3.5, 0], [3.5, 0]] };
  const HEADS = { x: (way) => [[0, 0], [-7 * way, -4], [-7 * way, 4]], y: (way) => [[0, 0], [-4, -7 * way], [4, -7 * way]] };

  const known = (points, letter) => points.filter((p) => p[`${letter}1`] !== null && p[`${letter}2`] !== null);
  const ends = (points, letter) => known(points, letter).flatMap((p) => [p[`${letter}1`], p[`${letter}2`]]);

  // Bars along one axis, cut where its scale ends.
  function marks(points, letter, { domain: [low, high], reverse }, { strokeOpacity, strokeWidth = 1.2 }) {
    const [one, two, other] = letter === "x" ? ["x1", "x2", "y"] : ["y1", "y2", "x"];
    const bars = known(points, letter).map((p) => ({ ...p, [one]: Math.max(p[one], low), [two]: Math.min(p[two], high), below: p[one] < low, above: p[two] > high }));
    const way = (letter === "x") !== Boolean(reverse) ? 1 : -1; // to where values are larger, in pixels
    const look = { [other]: other, stroke: "colour", strokeOpacity, strokeWidth };
    const symbols = (kept, end, corners, more) => Plot.dot(kept, { ...look, [letter]: end, r: MARKER_PX, symbol: drawing.symbolOf(corners), ...more });
    const cut = { ariaDescription: "cut", fill: "colour", strokeOpacity: 1 };
    const cap = { ariaDescription: "cap" };
    return [
      (letter === "x" ? Plot.ruleY : Plot.ruleX)(bars, { ...look, [one]: one, [two]: two }),
      symbols(bars.filter((p) => !p.below), one, CAPS[letter], cap),
      symbols(bars.filter((p) => !p.above), two, CAPS[letter], cap),
      symbols(bars.filter((p) => p.below), one, HEADS[letter](-way), cut),
      symbols(bars.filter((p) => p.above), two, HEADS[letter](way), cut),
    ];
  }

  // A line below a figure that has arrow heads; within the picture, so that it is saved with it.
  function explain(chart) {
    if (!chart.querySelector("[aria-description=cut] > *")) return;
    const root = chart.tagName === "svg" ? chart : chart.querySelector("svg");
    const [width, height] = [root.width.baseVal.value, root.height.baseVal.value];
    root.setAttribute("height", height + NOTE_PX);
    root.setAttribute("viewBox", `0 0 ${width} ${height + NOTE_PX}`);
    dom.svg("text", { class: "cut", x: 4, y: height + 11, fill: "currentColor", "font-size": 11, "text-anchor": "start" }, root).textContent = "Arrow head: the interval goes on beyond the axis.";
  }

  return { ends, marks, explain };
})();
