// All cells in one table: sorted by any column, searched by words, copied as Markdown or CSV, and all data as files.
"use strict";
const cells = (() => {
  const { element } = dom;
  const WHO = ["Machine", "Model", "Framework", "Precision", "Mode", "Batch size"];
  let page = { columns: [], cells: [] };

  const box = () => document.getElementById("all-cells");

  function shown() {
    const { frameworks, precisions } = inferometer.choices();
    const words = (box().querySelector("input[type=search]").value || "").toLowerCase().split(/\s+/).filter(Boolean);
    return page.cells.filter((cell) => {
      if (frameworks.has(String(cell.f)) || precisions.has(cell.who[3])) return false;
      const text = [...cell.who, cell.status].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  // Numbers by value, texts by letters; what is not known comes last either way.
  function sorted(found) {
    const [at, way] = (state.get("sort") ?? "").split(".");
    const number = Number(at);
    if (!at || !(number < WHO.length + page.columns.length)) return found;
    const of = (cell) => (number < WHO.length ? cell.who[number] : (cell.values[number - WHO.length]?.[0] ?? null));
    const sign = way === "down" ? -1 : 1;
    return found.toSorted((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true }));
    });
  }

  const titles = () => [...WHO, ...page.columns.map(({ title, unit }) => (unit ? `${title} (${unit})` : title)), "Status"];
  const several = () => WHO.map((_, i) => i === 2 || i === 5 || new Set(page.cells.map((cell) => cell.who[i])).size > 1);
  const texts = (cell) => [...cell.who.map(String), ...cell.values.map((v) => (v ? drawing.round(v[0]) : "")), cell.status];
  const columnsShown = () => [...several(), ...page.columns.map(() => true), page.cells.some((cell) => cell.status !== "ok")];

  function head(table, keep) {
    const row = element("tr", undefined, element("thead", undefined, table));
    const [at, way] = (state.get("sort") ?? "").split(".");
    titles().forEach((title, i) => {
      if (!keep[i]) return;
      const own = String(i) === at;
      const isText = i < 5 || i === titles().length - 1;
      const cell = element("th", undefined, row, { scope: "col", class: isText ? "text" : "", "aria-sort": own ? (way === "down" ? "descending" : "ascending") : "none" });
      if (i === titles().length - 1) cell.textContent = title;
      else element("button", `${title}${own ? (way === "down" ? " ▼" : " ▲") : ""}`, cell, { type: "button", "data-sort": i });
    });
  }

  function draw() {
    if (!box()) return;
    const found = sorted(shown());
    const keep = columnsShown();
    const table = element("table", undefined, undefined, { class: "values all", "data-rove": "" });
    element("caption", "All cells", table, { class: "unseen" });
    head(table, keep);
    const body = element("tbody", undefined, table);
    for (const cell of found) {
      const row = element("tr", undefined, body, { "data-f": cell.f });
      const out = decide.isOut(cell.key) ? " out" : "";
      texts(cell).forEach((text, i) => {
        if (keep[i]) element("td", text, row, { class: (i < 5 || i === WHO.length + page.columns.length ? "text" : "") + out, "data-cell": cell.key });
      });
    }
    box().querySelector(".scroll").replaceChildren(table);
    box().querySelector("[data-number]").textContent = `${found.length} of ${page.cells.length} cells`;
    rove.mount([table]);
  }

  const asText = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text); // no formula of a spreadsheet
  const csvField = (text) => (/[",\n\r]/.test(text) ? `"${asText(text).replaceAll('"', '""')}"` : asText(text));

  // What the table shows, as it is sorted, in full precision of the page.
  function written(kind) {
    const keep = columnsShown();
    const rows = [titles(), ...sorted(shown()).map((cell) => [...cell.who.map(String), ...cell.values.map((v) => (v ? String(v[0]) : "")), cell.status])];
    const kept = rows.map((row) => row.filter((_, i) => keep[i]));
    if (kind === "csv") return kept.map((row) => row.map(csvField).join(",")).join("\n") + "\n";
    const lines = kept.map((row) => `| ${row.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`);
    return [lines[0], `|${kept[0].map(() => "---").join("|")}|`, ...lines.slice(1)].join("\n") + "\n";
  }

  function everything() {
    const named = ({ title, unit }, value) => [title, value && { value: value[0], low: value[1], high: value[2], unit }];
    return page.cells.map(({ who, status, cause, values, rates }) => ({
      ...Object.fromEntries(WHO.map((name, i) => [name.toLowerCase().replace(" ", "_"), who[i]])),
      status, cause, rates, ...Object.fromEntries(page.columns.map((column, i) => named(column, values[i]))),
    }));
  }

  async function copy(kind, button) {
    await navigator.clipboard.writeText(written(kind));
    const said = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = said), 1500);
  }

  function clicked(event) {
    const button = event.target.closest?.("#all-cells button");
    if (!button) return;
    const { sort, copy: kind, save: file } = button.dataset;
    if (sort !== undefined) {
      const [at, way] = (state.get("sort") ?? "").split(".");
      const more = page.columns[sort - WHO.length]?.more;
      const first = more ? "down" : "up";
      const other = first === "up" ? "down" : "up";
      state.set({ sort: at !== sort ? `${sort}.${first}` : way === first ? `${sort}.${other}` : null });
      box().querySelector(`button[data-sort="${sort}"]`)?.focus();
    } else if (kind) copy(kind, button);
    else if (file === "csv") dom.download("cells.csv", new Blob([written("csv")], { type: "text/csv" }));
    else if (file === "json") dom.download("cells.json", new Blob([`${JSON.stringify(everything(), null, 1)}\n`], { type: "application/json" }));
  }

  function mount(data) {
    page = data.evidence;
    if (!box()) return;
    const search = box().querySelector("input[type=search]");
    search.value = state.get("search") ?? "";
  }

  document.addEventListener("click", clicked);
  document.addEventListener("input", (event) => event.target.matches?.("#all-cells input[type=search]") && state.set({ search: event.target.value }));
  state.listen((names) => ["sort", "search"].some((name) => names.includes(name)) && draw());
  return { mount, draw, written };
})();
