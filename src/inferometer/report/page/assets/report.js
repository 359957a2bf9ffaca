// Draws the figures, and lets the reader choose what they and the tables show.
"use strict";
const inferometer = (() => {
  const PRINT_WIDTH = 660; // px that fit between the margins of A4
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const { all } = dom;
  let page = { figures: {}, light: [], dark: [], frameworks: [], groups: [] };
  let printing = false;
  let pending = new Set();
  let begun = false; // the first screen is shown, the rest is not

  const look = () => {
    const night = dark.matches && !printing;
    const ink = night ? { ink: "#e8eaed", ground: "#15181c", grey: "#6b737b" } : { ink: "#1b1f23", ground: "#ffffff", grey: "#9aa2aa" };
    return { axes: page.axes, symbols: page.symbols, colours: night ? page.dark : page.light, ink };
  };

  function choices() {
    const unticked = (name) => new Set(all(`input[name=${name}]:not(:checked)`).map((box) => box.value));
    return { frameworks: unticked("framework"), precisions: unticked("precision") };
  }

  // ---- figures

  function howTo(plot, chart) {
    const block = plot.closest(".figure-block");
    const axis = (letter) => block.querySelector(`input[data-axis=${letter}]`)?.checked ?? chart[letter].log;
    const width = printing ? PRINT_WIDTH : Math.max(280, plot.clientWidth);
    const own = look();
    return {
      hidden: choices(),
      look: own,
      size: { width, height: printing ? 310 : 380, ink: own.ink },
      batch: block.querySelector("select[data-batch]")?.value ?? "0",
      log: { x: axis("x"), y: axis("y") },
      share: block.querySelector("input[data-share]")?.checked ?? false,
    };
  }

  function draw(plot) {
    const chart = page.figures[plot.dataset.figure];
    figures.draw(plot, chart, howTo(plot, chart));
    plot.style.minHeight = "";
    pending.delete(plot);
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

  function fillData(details) {
    const target = details.querySelector("div");
    if (!details.open || target.childElementCount) return;
    for (const plot of all(".plot", details.closest(".figure-block")))
      target.append(figureTable.tableOf(page.figures[plot.dataset.figure], page.frameworks));
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

  // All but the first screen.
  function drawRest() {
    hideRows();
    cells.draw();
    drawAll(all(".plot"));
  }

  function redraw() {
    drawRest();
    decide.update(look(), printing);
  }

  // Hidden frameworks and precisions stand in the address by their names.
  function keep() {
    const names = (name) => all(`input[name=${name}]:not(:checked)`).map((box) => box.dataset.name).join(",");
    const usual = all("input[name=precision]").every((box) => box.checked === box.defaultChecked);
    state.set({ hide: names("framework"), "hide-precisions": usual ? null : names("precision") });
  }

  function bringBack() {
    for (const [name, key] of [["framework", "hide"], ["precision", "hide-precisions"]]) {
      const text = state.get(key);
      const hidden = text === null ? null : new Set(text.split(","));
      for (const box of all(`input[name=${name}]`)) box.checked = hidden ? !hidden.has(box.dataset.name) : box.defaultChecked;
    }
  }

  function changed(event) {
    const box = event.target;
    if (box.name === "framework" || box.name === "precision") {
      keep();
    } else if (box.dataset.axis || box.dataset.batch !== undefined || box.dataset.share !== undefined) {
      all(".plot", box.closest(".figure-block")).forEach(draw);
    } else if (box.name === "safe") {
      document.documentElement.classList.toggle("safe", box.checked);
    }
  }

  function clicked(event) {
    const button = event.target.closest("button[data-tick]");
    if (!button) return;
    for (const box of all("input[name=framework]")) box.checked = button.dataset.tick === "all";
    keep();
  }

  // ---- printing: light, as wide as the paper, everything drawn, every table open

  let closed = [];
  function beforePrint() {
    printing = true;
    closed = all("details[data-print]:not([open])");
    for (const details of closed) details.open = true;
    decide.update(look(), printing);
    all(".plot").forEach(draw);
  }

  function afterPrint() {
    printing = false;
    for (const details of closed) details.open = false;
    decide.update(look(), printing);
    all(".plot").forEach(draw);
  }

  // Jumps to a heading stop below the navigation, however tall it is.
  const bar = new ResizeObserver(([entry]) => {
    const sticky = getComputedStyle(entry.target).position === "sticky";
    document.documentElement.style.scrollPaddingTop = sticky ? `${entry.target.offsetHeight + 12}px` : "";
  });

  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  // Shows the first screen; a large page calls it before the rest has arrived.
  function begin() {
    document.documentElement.dataset.drawn = "no";
    page = { ...read("page-data"), figures: {} };
    bringBack();
    decide.mount(page.groups);
    decide.update(look(), printing);
    begun = true;
  }

  function mount() {
    if (!begun) begin();
    begun = false;
    page = { ...page, ...read("page-details") };
    bar.disconnect();
    all("nav").forEach((nav) => bar.observe(nav));
    document.documentElement.classList.toggle("safe", Boolean(document.querySelector("input[name=safe]:checked")));
    heatmap.mount();
    rove.mount();
    drawer.mount(page);
    cells.mount(page);
    drawRest();
    decide.grey();
    all("details.data").forEach(fillData);
  }

  document.addEventListener("change", changed);
  document.addEventListener("click", clicked);
  document.addEventListener("toggle", (e) => e.target.matches("details.data") && fillData(e.target), true);
  document.addEventListener("submit", (event) => event.preventDefault());
  state.listen((names) => {
    if (names.some((name) => name.startsWith("hide"))) {
      bringBack();
      redraw();
    } else if (names.some(limits.decides)) decide.update(look(), printing);
  });
  dark.addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  document.addEventListener("DOMContentLoaded", mount);
  return { begin, mount, choices };
})();
