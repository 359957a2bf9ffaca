// What is behind one cell: its rounds, its latencies, where and how it ran, and the command that measures it again.
"use strict";
const drawer = (() => {
  const { element, svg } = dom;
  const panel = () => document.getElementById("drawer");
  let byKey = new Map();
  let byAddress = new Map();
  let came = null; // from where the reader came

  // A strip from the least to the most of some numbers; `thick` are two of its places.
  function strip(title, values, unit, thick, parent) {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const box = element("figure", undefined, parent, { class: "strip" });
    const ends = `${drawing.round(low)} to ${drawing.round(high)} ${unit}`;
    element("figcaption", `${title}: ${ends}`, box);
    const root = svg("svg", { viewBox: "0 0 300 22", width: "100%", height: 22, role: "img", "aria-label": `${title}: ${ends}` }, box);
    const x = (value) => 8 + (284 * (value - low)) / (high - low || 1);
    svg("line", { x1: x(low), x2: x(high), y1: 11, y2: 11, stroke: "currentColor", "stroke-opacity": 0.4 }, root);
    if (thick) svg("line", { x1: x(values[thick[0]]), x2: x(values[thick[1]]), y1: 11, y2: 11, stroke: "currentColor", "stroke-width": 7, "stroke-opacity": 0.35 }, root);
    for (const value of thick ? [values[2]] : values) svg("circle", { cx: x(value), cy: 11, r: 4, fill: "var(--link)" }, root);
  }

  // not broken within an option
  function command(text, place) {
    const code = element("code", undefined, place);
    for (const word of text.split(" ")) {
      if (code.hasChildNodes()) code.append(" ");
      element("span", word, code, { class: "word" });
    }
  }

  function fill(cell) {
    const target = panel();
    target.replaceChildren();
    const head = element("div", undefined, target, { class: "drawer-head" });
    element("h2", cell.name, head, { id: "drawer-title" });
    element("button", "Close", head, { type: "button", "data-close": "" });
    const [machine, model, , , mode] = cell.who;
    element("p", `${model} on ${machine}, ${mode} mode: ${cell.status}`, target, { class: "facts" });
    if (cell.cause) element("p", cell.cause, target, { class: "bad" });
    if (cell.rates?.length > 1) strip("Throughput, round by round", cell.rates, "images/s", null, target);
    if (cell.latencies) strip("Latency of a batch, 5th to 99th percentile", cell.latencies, "ms", [1, 3], target);
    const list = element("dl", undefined, target);
    for (const [name, text] of cell.facts) {
      element("dt", name, list);
      const place = element("dd", undefined, list);
      if (name === "Measure it again") command(text, place);
      else element(name === "Log" ? "code" : "span", text, place);
    }
    const link = element("p", undefined, target, { class: "how" });
    element("a", "Link to this cell", link, { href: location.href.split("#")[0] + `#${new URLSearchParams({ c: cell.at })}` });
  }

  function show() {
    const cell = byAddress.get(state.get("c"));
    const target = panel();
    if (!cell) {
      if (target.open) target.close();
      return;
    }
    fill(cell);
    if (!target.open) target.show();
    target.querySelector("[data-close]").focus({ preventScroll: true });
  }

  function open(key) {
    const cell = byKey.get(key);
    if (!cell) return;
    came = document.activeElement;
    state.set({ c: cell.at });
  }

  function close() {
    if (!panel().open) return;
    panel().close();
    state.set({ c: null });
    if (came?.isConnected) came.focus({ preventScroll: true });
  }

  function mount(page) {
    byKey = new Map(page.evidence.cells.map((cell) => [cell.key, cell]));
    byAddress = new Map(page.evidence.cells.map((cell) => [cell.at, cell]));
    if (state.get("c")) show();
  }

  // A link to a cell keeps what the reader chose besides.
  function followed(event) {
    const link = event.target.closest?.('a[href^="#c="]');
    if (!link) return;
    event.preventDefault();
    came = link;
    state.set({ c: new URLSearchParams(link.hash.slice(1)).get("c") });
  }

  document.addEventListener("click", (event) => event.target.closest?.("[data-close]") && close());
  document.addEventListener("click", followed);
  document.addEventListener("keydown", (event) => event.key === "Escape" && close());
  state.listen((names) => names.includes("c") && show());
  return { mount, open };
})();
