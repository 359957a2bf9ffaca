// The heat map: what a cell says in full while it is pointed at or reached by the arrow keys, and two ways to shade.
"use strict";
const heatmap = (() => {
  const { all } = dom;
  const said = (cell) => all("[data-said]").forEach((line) => (line.textContent = cell.title));

  function shade(value) {
    for (const cell of all(".heat td[data-own]")) {
      cell.classList.remove(cell.dataset.own, cell.dataset.all);
      cell.classList.add(value === "all" ? cell.dataset.all : cell.dataset.own);
    }
    for (const select of all("select[data-shade]")) select.value = value;
  }

  function mount() {
    shade(state.get("shade") ?? "own");
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-shade]")) state.set({ shade: event.target.value === "own" ? null : event.target.value });
  });
  for (const kind of ["focusin", "mouseover"])
    document.addEventListener(kind, (event) => event.target.closest?.(".heat td[data-cell]") && said(event.target.closest("td")));
  state.listen((names) => names.includes("shade") && shade(state.get("shade") ?? "own"));
  return { mount };
})();
