// The heat map: what a cell says in full while it is pointed at or reached by the arrow keys, one tab stop a map, two ways to shade.
"use strict";
const heatmap = (() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const said = (cell) => all("[data-said]").forEach((line) => (line.textContent = cell.title || cell.dataset.title || ""));

  function shade(value) {
    for (const cell of all(".heat td[data-own]")) {
      cell.classList.remove(cell.dataset.own, cell.dataset.all);
      cell.classList.add(value === "all" ? cell.dataset.all : cell.dataset.own);
    }
    for (const select of all("select[data-shade]")) select.value = value;
  }

  // One cell of a map is a tab stop; the arrow keys go on from there.
  function rove(table) {
    const cells = all("td[data-cell]", table);
    cells.forEach((cell, i) => (cell.tabIndex = i ? -1 : 0));
  }

  function step(cell, key) {
    const row = cell.parentElement;
    const rows = all("tbody tr:not([hidden])", cell.closest("table"));
    const at = [...row.children].indexOf(cell);
    const near = { ArrowLeft: () => cell.previousElementSibling, ArrowRight: () => cell.nextElementSibling,
      ArrowUp: () => rows[rows.indexOf(row) - 1]?.children[at], ArrowDown: () => rows[rows.indexOf(row) + 1]?.children[at] }[key];
    const next = near?.();
    if (!next?.matches("td[data-cell]")) return false;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
    return true;
  }

  function mount() {
    all("table[data-heat]").forEach(rove);
    shade(state.get("shade") ?? "own");
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-shade]")) state.set({ shade: event.target.value === "own" ? null : event.target.value });
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.(".heat td[data-cell]") && step(event.target, event.key)) event.preventDefault();
  });
  for (const kind of ["focusin", "mouseover"])
    document.addEventListener(kind, (event) => event.target.closest?.(".heat td[data-cell]") && said(event.target.closest("td")));
  state.listen((names) => names.includes("shade") && shade(state.get("shade") ?? "own"));
  return { mount };
})();
