// Draws the figures, and lets the reader choose what they and the tables show. No names but `inferometer` leak out.
"use strict";
const inferometer = (() => {
  const GROUND = {
    light: { ink: "#3c4248", grid: "#e3e6e9", hover: "#ffffff", copying: "#59626b" },
    dark: { ink: "#c3c9cf", grid: "#2f353b", hover: "#22272c", copying: "#a3abb3" },
  };
  const PRINT_WIDTH = 660; // px that fit between the margins of A4
  const PRINT_HEIGHT = 310;
  const SUM_WIDTH = 62; // px of the sum at the end of a bar
  const PARTS = [["copy in", 0, "/"], ["compute", 2, ""], ["copy out", 3, "\\"]]; // name, place, hatch
  const TICK_WIDTH = 48; // px of a number below an axis
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  let page = { figures: {}, light: [], dark: [], frameworks: [] };
  let printing = false;
  let pending = new Set();

  const unescape = (name) =>
    name.replaceAll("&#8203;", "").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  const theme = () => (dark.matches && !printing ? "dark" : "light");

  function choices() {
    const unticked = (name) => new Set(all(`input[name=${name}]:not(:checked)`).map((box) => box.value));
    return { frameworks: unticked("framework"), precisions: unticked("precision") };
  }

  const shown = (trace, hidden) =>
    !hidden.frameworks.has(String(trace.meta.f)) && !hidden.precisions.has(trace.meta.p);

  // ---- figures

  const BAR = { type: "data", symmetric: false, thickness: 1.1, width: 3 };
  const bars = (values, intervals) => ({
    ...BAR,
    array: intervals.map(([, high], i) => (high === null ? null : high - values[i])),
    arrayminus: intervals.map(([low], i) => (low === null ? null : values[i] - low)),
    visible: intervals.some(([, high]) => high !== null),
  });

  const sizeOf = (figure, batch) => (batch === "0" ? String(figure.first_size) : batch);

  // A figure's data leave out what follows from the rest; this is what plotly needs of a series.
  const expand = {
    lines: (trace) => ({ error_y: bars(trace.y, trace.customdata) }),
    fit: (trace) => (trace.meta.k === "fit" ? {} : { error_y: bars(trace.y, trace.customdata) }),
    dots(trace, figure, batch) {
      const [x, intervals, at] = trace.meta.by[batch] || [[], [], []];
      return {
        x,
        y: x.map(() => trace.name),
        customdata: intervals.map((interval, i) => [...interval, figure.machines[at[i]][0]]),
        error_x: bars(x, intervals),
        marker: { ...trace.marker, symbol: at.map((number) => figure.machines[number][1]) },
      };
    },
    boxes(trace, figure, batch) {
      const points = figure.data.find((other) => other.meta.by && other.name === trace.name);
      const quantiles = points.meta.by[batch] || [];
      if (trace.meta.k === "whisker")
        return { x: quantiles.flatMap((q) => [q[0], q[5]]), y: quantiles.flatMap(() => [trace.name, trace.name]) };
      return {
        x: quantiles.map((q) => q[2]),
        y: quantiles.map(() => trace.name),
        customdata: quantiles,
        error_x: { ...bars(quantiles.map((q) => q[2]), quantiles.map((q) => [q[1], q[3]])), thickness: 6, width: 0 },
      };
    },
    phase_bars(trace, figure, batch, { color, share }) {
      const phases = trace.meta.by[sizeOf(figure, batch)];
      const parts = phases ? PARTS.filter(([, at]) => phases[at] !== null) : [];
      const sum = parts.reduce((total, [, at]) => total + phases[at], 0) || 1;
      const x = parts.map(([, at]) => (share ? (100 * phases[at]) / sum : phases[at]));
      const colors = parts.map(([, , hatch]) => (hatch ? GROUND[theme()].copying : color));
      return {
        x,
        y: x.map(() => trace.name),
        base: x.map((_, i) => x.slice(0, i).reduce((total, length) => total + length, 0)),
        customdata: parts.map(([name, at]) => [told(name, phases[1]), phases[at], (100 * phases[at]) / sum]),
        text: parts.map((_, i) => (i === parts.length - 1 ? phases[4] : "")),
        marker: {
          color: colors,
          line: { color: colors, width: 1 },
          pattern: { fillmode: "replace", shape: parts.map(([, , hatch]) => hatch), size: 6, solidity: 0.25 },
        },
      };
    },
  };

  const told = (name, enqueue) =>
    name === "compute" && enqueue !== null ? `compute; the call returned after ${enqueue.toLocaleString("en")} ms` : name;

  function traceFor(trace, figure, hidden, batch, share) {
    const palette = page[theme()];
    const color = palette[trace.meta.f % palette.length];
    const derived = expand[figure.kind](trace, figure, batch, { color, share });
    const copy = { ...trace, ...derived, visible: shown(trace, hidden) };
    if (copy.marker && figure.kind !== "phase_bars") copy.marker = { ...copy.marker, color, line: { ...copy.marker.line, color } };
    if (copy.line) copy.line = { ...copy.line, color };
    for (const axis of ["error_x", "error_y"]) if (copy[axis]) copy[axis] = { ...copy[axis], color };
    // plotly hides a category of its own accord only where the series is not drawn at all
    if (figure.layout.yaxis.type === "category" && !copy.x.length) copy.visible = false;
    return copy;
  }

  function layoutFor(figure, plate, data, plot) {
    const { ink, grid, hover } = GROUND[theme()];
    const layout = structuredClone(figure.layout);
    layout.font.color = ink;
    layout.hoverlabel = { ...layout.hoverlabel, bgcolor: hover, bordercolor: grid };
    layout.hoverlabel.font.color = ink;
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: "#8a929a", activecolor: ink };
    layout.dragmode = coarse.matches ? false : "zoom";
    for (const name of ["xaxis", "yaxis"]) {
      const axis = layout[name];
      Object.assign(axis, { gridcolor: grid, linecolor: grid, fixedrange: coarse.matches, automargin: false });
      const box = plate.querySelector(`input[data-axis=${name[0]}]`);
      if (box && axis.type !== "category") {
        axis.type = box.checked ? "log" : "linear";
        if (!axis.tickvals) axis.dtick = box.checked ? logTicks(name[0], data, plot) : undefined;
        axis.rangemode = box.checked ? "normal" : "tozero";
      }
    }
    if (layout.yaxis.type === "category") fitRows(layout, figure, data, plot);
    if (figure.kind === "phase_bars") fitBars(layout, figure, plate, data, plot);
    if (printing) Object.assign(layout, { width: PRINT_WIDTH, autosize: false });
    if (printing && layout.yaxis.type !== "category") layout.height = PRINT_HEIGHT;
    return layout;
  }

  // 1, 2, 5, 10 ... where there is room for so many numbers side by side, else powers of ten.
  function logTicks(letter, data, plot) {
    if (letter === "y") return "D2";
    const values = data.filter((trace) => trace.visible).flatMap((trace) => trace.x.filter((x) => x > 0));
    const decades = values.length ? Math.log10(Math.max(...values) / Math.min(...values)) : 0;
    const room = printing ? PRINT_WIDTH : plot.clientWidth;
    return decades > 1 && decades * 3 * TICK_WIDTH > 0.6 * room ? 1 : "D2";
  }

  // The longest bar leaves room for its sum.
  function fitBars(layout, figure, plate, data, plot) {
    const share = plate.querySelector("input[data-share]").checked;
    const size = sizeOf(figure, plate.querySelector("select[data-batch]").value);
    layout.xaxis.title.text = share ? `Share of time, batch size ${size} (%)` : `Time, batch size ${size} (ms)`;
    const ends = data.filter((trace) => trace.visible).map((trace) => trace.base.at(-1) + trace.x.at(-1));
    const room = (printing ? PRINT_WIDTH : plot.clientWidth) - layout.margin.l - layout.margin.r;
    const end = share ? 100 : Math.max(...ends, 0) || 1;
    layout.xaxis.range = [0, (end * room) / Math.max(room - SUM_WIDTH, 1)];
    if (!share) layout.xaxis.tickvals = undefined;
  }

  // Rows of hidden frameworks close up.
  function fitRows(layout, figure, data, plot) {
    const names = new Set(data.filter((trace) => trace.visible).map((trace) => trace.name));
    const rows = figure.layout.yaxis.categoryarray.filter((name) => names.has(name));
    layout.yaxis.categoryarray = rows;
    layout.yaxis.range = [-0.6, rows.length - 0.4];
    const perRow = (figure.layout.height - figure.margin_px) / figure.layout.yaxis.categoryarray.length;
    layout.height = Math.max(1, rows.length) * perRow + figure.margin_px;
    const room = 0.45 * (printing ? PRINT_WIDTH : plot.clientWidth);
    Object.assign(layout.yaxis, { tickmode: "array", tickvals: rows, ticktext: rows.map((n) => fitting(n, room)) });
    const longest = Math.max(0, ...layout.yaxis.ticktext.map((name) => width(unescape(name))));
    layout.margin.l = Math.ceil(longest) + 14;
  }

  const pen = document.createElement("canvas").getContext("2d");
  function width(name) {
    pen.font = `12.5px ${getComputedStyle(document.body).fontFamily}`;
    return pen.measureText(name).width;
  }

  // The whole name where there is room for it, else its beginning and end (versions differ at the end).
  function fitting(name, room) {
    const letters = [...unescape(name)];
    if (width(letters.join("")) <= room) return name;
    const short = () => `${letters.slice(0, keep).join("")}…${letters.slice(letters.length - keep).join("")}`;
    let keep = Math.floor(letters.length / 2);
    while (keep > 2 && width(short()) > room) keep -= 1;
    return short().replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  }

  function draw(plot) {
    const figure = page.figures[plot.dataset.figure];
    const plate = plot.closest(".plate");
    const select = plate.querySelector("select[data-batch]");
    const hidden = choices();
    const share = plate.querySelector("input[data-share]:checked") !== null;
    const data = figure.data.map((trace) => traceFor(trace, figure, hidden, select ? select.value : "0", share));
    const layout = layoutFor(figure, plate, data, plot);
    plot.style.minHeight = `${layout.height}px`;
    pending.delete(plot);
    plot.classList.toggle("empty", !data.some((trace) => trace.visible));
    return Plotly.react(plot, data, layout, {
      responsive: !printing,
      displaylogo: false,
      // named one by one: plotly's own choice holds a button that sends the figure to its makers
      modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]],
      toImageButtonOptions: { format: "svg", filename: plot.dataset.figure },
    });
  }

  const seen = new IntersectionObserver(
    (entries) => entries.filter((e) => e.isIntersecting && pending.has(e.target)).forEach((e) => draw(e.target)),
    { rootMargin: "400px" },
  );

  // Figures in view are drawn at once, the others when the browser has time.
  function drawAll(plots) {
    document.documentElement.dataset.drawn = "no";
    pending = new Set([...pending, ...plots]);
    for (const plot of plots) {
      seen.unobserve(plot);
      seen.observe(plot);
    }
    idle();
  }

  function idle() {
    const later = window.requestIdleCallback || ((work) => setTimeout(work, 30)); // Safari has none
    later(
      () => {
        const [next] = pending;
        if (!next) {
          document.documentElement.dataset.drawn = "yes";
          return;
        }
        if (next.isConnected) draw(next);
        else pending.delete(next);
        idle();
      },
      { timeout: 400 },
    );
  }

  // ---- a figure's numbers as a table, made when it is opened

  const HEADS = {
    lines: ["Batch size", "Value", "Low", "High"],
    fit: ["Batch size", "Throughput (images/s)", "Power (W)", "Low", "High"],
    dots: ["Batch size", "Machine", "Value", "Low", "High"],
    boxes: ["Batch size", "5 %", "25 %", "Median", "75 %", "95 %", "99 %"],
    phase_bars: ["Batch size", "Copy in (ms)", "Enqueue, part of compute (ms)", "Compute (ms)", "Copy out (ms)"],
  };

  function rowsOf(figure, trace) {
    const { kind } = figure;
    if (kind === "lines") return trace.x.map((x, i) => [x, trace.y[i], ...trace.customdata[i]]);
    if (kind === "fit")
      return trace.x.map((x, i) => [trace.customdata[i][2], x, trace.y[i], ...trace.customdata[i].slice(0, 2)]);
    const label = (size) => (size === "0" ? "fastest" : size);
    if (kind === "phase_bars") return Object.entries(trace.meta.by).map(([size, phases]) => [size, ...phases.slice(0, 4)]);
    if (kind === "boxes")
      return Object.entries(trace.meta.by).flatMap(([size, points]) => points.map((q) => [label(size), ...q]));
    return Object.entries(trace.meta.by).flatMap(([size, [values, intervals, at]]) =>
      values.map((value, i) => [label(size), unescape(figure.machines[at[i]][0]), value, ...intervals[i]]),
    );
  }

  function element(name, text, parent) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function tableOf(figure) {
    const table = element("table");
    const unit = figure.kind === "dots" || figure.kind === "boxes" ? "xaxis" : "yaxis";
    const quantity = figure.kind === "phase_bars" ? "" : ` · ${unescape(figure.layout[unit].title.text)}`;
    element("caption", figure.title + quantity, table);
    const head = element("tr", undefined, element("thead", undefined, table));
    for (const name of ["Framework", "Precision", ...HEADS[figure.kind]]) element("th", name, head).scope = "col";
    const body = element("tbody", undefined, table);
    for (const trace of figure.data.filter((t) => t.meta.k === "points")) {
      for (const cells of rowsOf(figure, trace)) {
        const row = element("tr", undefined, body);
        row.dataset.f = trace.meta.f;
        element("th", page.frameworks[trace.meta.f], row).scope = "row";
        for (const cell of [trace.meta.p, ...cells]) element("td", cell ?? "–", row);
      }
    }
    return table;
  }

  function fillData(details) {
    const target = details.querySelector("div");
    if (!details.open || target.childElementCount) return;
    for (const plot of all(".plot", details.closest(".plate")))
      target.append(tableOf(page.figures[plot.dataset.figure]));
    hideRows();
  }

  // ---- what the reader chose

  function hideRows() {
    const { frameworks, precisions } = choices();
    for (const key of all("li[data-precision]")) key.hidden = precisions.has(key.dataset.precision);
    for (const row of all("[data-f]")) row.hidden = frameworks.has(row.dataset.f);
    for (const key of all("label.key")) key.classList.toggle("off", frameworks.has(key.dataset.key));
    const total = all("input[name=framework]").length;
    for (const note of all("[data-count]")) note.textContent = `${total - frameworks.size} of ${total} shown`;
    for (const note of all("[data-printed]")) {
      const names = [...frameworks].map((number) => page.frameworks[number]);
      note.textContent = names.length ? `Hidden by the reader: ${names.join(", ")}.` : "";
    }
  }

  function changed(event) {
    const box = event.target;
    if (box.name === "framework" || box.name === "precision") {
      hideRows();
      drawAll(all(".plot"));
    } else if (box.dataset.axis || box.dataset.batch !== undefined || box.dataset.share !== undefined) {
      all(".plot", box.closest(".plate")).forEach(draw);
    } else if (box.name === "safe") {
      document.documentElement.classList.toggle("safe", box.checked);
    }
  }

  function clicked(event) {
    const button = event.target.closest("button[data-tick]");
    if (!button) return;
    for (const box of all("input[name=framework]")) box.checked = button.dataset.tick === "all";
    hideRows();
    drawAll(all(".plot"));
  }

  // ---- printing: light, as wide as the paper, everything drawn, every table open

  let closed = [];
  function beforePrint() {
    printing = true;
    closed = all("details[data-print]:not([open])");
    for (const details of closed) details.open = true;
    all(".plot").forEach(draw);
  }

  function afterPrint() {
    printing = false;
    for (const details of closed) details.open = false;
    all(".plot").forEach(draw);
  }

  // Jumps to a heading stop below the bar of choices, however tall it is.
  const bar = new ResizeObserver(([entry]) => {
    const sticky = getComputedStyle(entry.target).position === "sticky";
    document.documentElement.style.scrollPaddingTop = sticky ? `${entry.target.offsetHeight + 24}px` : "";
  });

  function mount() {
    bar.disconnect();
    all(".filters").forEach((filters) => bar.observe(filters));
    page = JSON.parse(document.getElementById("page-data").textContent);
    document.documentElement.classList.toggle("safe", Boolean(document.querySelector("input[name=safe]:checked")));
    hideRows();
    drawAll(all(".plot"));
    all("details.data").forEach(fillData);
  }

  document.addEventListener("change", changed);
  document.addEventListener("click", clicked);
  document.addEventListener("toggle", (e) => e.target.matches("details.data") && fillData(e.target), true);
  document.addEventListener("submit", (event) => event.preventDefault());
  dark.addEventListener("change", () => drawAll(all(".plot")));
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  mount();
  return { mount };
})();
