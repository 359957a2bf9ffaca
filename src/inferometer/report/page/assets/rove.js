// Tables of cells are one tab stop each; the arrow keys go from cell to cell, Enter or a click opens what is behind one.
"use strict";
const rove = (() => {
  const { all } = dom;
  const CELL = "table[data-rove] [data-cell]";

  function neighbour(cell, key) {
    const row = cell.parentElement;
    const at = [...row.children].indexOf(cell);
    const rows = all("tr:not([hidden])", cell.closest("table")).filter((one) => one.querySelector("[data-cell]"));
    const steps = { ArrowUp: -1, ArrowDown: 1 };
    const next = {
      ArrowLeft: () => cell.previousElementSibling,
      ArrowRight: () => cell.nextElementSibling,
      ArrowUp: () => rows[rows.indexOf(row) + steps.ArrowUp]?.children[at],
      ArrowDown: () => rows[rows.indexOf(row) + steps.ArrowDown]?.children[at],
    }[key]?.();
    return next?.matches("[data-cell]") ? next : null;
  }

  function go(cell) {
    for (const one of all('[data-cell][tabindex="0"]', cell.closest("table"))) one.tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  }

  function pressed(event) {
    const cell = event.target.closest?.(CELL);
    if (!cell || event.target !== cell) return;
    const next = neighbour(cell, event.key);
    if (next) go(next);
    else if (event.key === "Enter" || event.key === " ") drawer.open(cell.dataset.cell);
    else return;
    event.preventDefault();
  }

  // Makes the first cell of each table its tab stop.
  function mount(tables = all("table[data-rove]")) {
    for (const table of tables) all("[data-cell]", table).forEach((cell, i) => (cell.tabIndex = i ? -1 : 0));
  }

  document.addEventListener("keydown", pressed);
  document.addEventListener("click", (event) => {
    const cell = event.target.closest?.(CELL);
    if (!cell) return;
    go(cell);
    drawer.open(cell.dataset.cell);
  });
  return { mount };
})();
