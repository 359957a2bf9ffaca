// A figure a cell: its runs from left to right, each with its interval, and the runs at which it changed.
"use strict";
(() => {
  const { lines, unit } = JSON.parse(document.getElementById("history-data").textContent);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const bad = new Set(["worse", "broken"]);

  function spoken(line, known) {
    const [first, last] = [known[0], known.at(-1)];
    const changes = line.changes.length ? `; ${line.changes.join("; ")}` : "; no change";
    return `${line.name}: ${first.shown} to ${last.shown} ${unit} over ${line.points.length} runs${changes}`;
  }

  function drawn(line, number) {
    const known = line.points.filter((point) => point.y !== null);
    const place = document.querySelector(`#line-${number} .drawn`);
    if (!known.length) {
      place.textContent = line.points.at(-1).status;
      return;
    }
    const [ink, accent, good, warn] = ["--ink", "--link", "--good", "--bad"].map(colour);
    const ends = known.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]);
    const chart = Plot.plot({
      width: 320, height: 150, marginLeft: 52, marginRight: 12, marginTop: 12, marginBottom: 22,
      style: { color: ink, background: "none", fontSize: "11px", overflow: "visible" },
      x: { domain: [-0.5, line.points.length - 0.5], axis: null },
      y: { domain: [Math.min(...ends), Math.max(...ends)], nice: true, ticks: 4, label: null, grid: true },
      marks: [
        Plot.ruleX(known.filter((p) => p.low !== null && p.high !== null), { x: "x", y1: "low", y2: "high", stroke: accent, strokeOpacity: 0.45 }),
        Plot.line(known, { x: "x", y: "y", stroke: accent, strokeWidth: 1.3 }),
        Plot.dot(known.filter((p) => !p.changed), { x: "x", y: "y", r: 2.4, fill: accent }),
        Plot.text(known.filter((p) => p.changed), { x: "x", y: "y", text: (p) => (bad.has(p.verdict) ? "▼" : "▲"), fill: (p) => (bad.has(p.verdict) ? warn : good), fontSize: 15 }),
        Plot.text([line.points[0], line.points.at(-1)], { x: "x", text: "at", frameAnchor: "bottom", dy: 18, textAnchor: (_, i) => (i ? "end" : "start") }),
        Plot.tip(known, Plot.pointer({ x: "x", y: "y", title: (p) => `${p.at} ${p.version}\n${p.shown} ${unit}${p.verdict ? `\n${p.verdict}` : ""}`, fill: colour("--ground") })),
      ],
    });
    chart.setAttribute("role", "img");
    chart.setAttribute("aria-label", spoken(line, known));
    place.replaceChildren(chart);
  }

  const draw = () => lines.forEach(drawn);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
