// A figure's numbers as a table, made when it is opened.
"use strict";
const figureTable = (() => {
  const { element } = dom;
  const HEADS = {
    lines: ["Batch size", "Value", "Low", "High"],
    fit: ["Batch size", "Throughput (images/s)", "Power (W)", "Low", "High"],
    dots: ["Batch size", "Value", "Low", "High"],
    boxes: ["Batch size", "5 %", "25 %", "Median", "75 %", "95 %", "99 %"],
    phase_bars: ["Batch size", "Copy in (ms)", "Enqueue, part of compute (ms)", "Compute (ms)", "Copy out (ms)"],
  };
  const UNITS = { lines: "y", fit: "y", dots: "x", boxes: "x" }; // the axis that values are of

  const size = (at) => (at === 0 ? "fastest" : at);
  const cellsOf = {
    lines: (point) => point,
    fit: ([at, power, low, high, speed]) => [at, speed, power, low, high],
    dots: ([at, ...values]) => [size(at), ...values],
    boxes: ([at, ...quantiles]) => [size(at), ...quantiles],
    phase_bars: (point) => point.slice(0, 5),
  };

  function tableOf(chart, frameworks) {
    const table = element("table");
    const unit = UNITS[chart.kind];
    element("caption", unit ? `${chart.title} · ${chart[unit].title}` : chart.title, table);
    const head = element("tr", undefined, element("thead", undefined, table));
    for (const name of ["Framework", "Precision", ...HEADS[chart.kind]]) element("th", name, head).scope = "col";
    const body = element("tbody", undefined, table);
    for (const series of chart.series) {
      for (const point of series.points) {
        const row = element("tr", undefined, body);
        row.dataset.f = series.f;
        element("th", frameworks[series.f], row).scope = "row";
        for (const cell of [series.p, ...cellsOf[chart.kind](point)]) element("td", cell ?? "–", row);
      }
    }
    return table;
  }

  return { tableOf };
})();
