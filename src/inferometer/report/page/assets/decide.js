// Holds the page to the reader's limits: decides for every machine, rewrites the sentences, draws the frontiers, greys the rest.
"use strict";
const decide = (() => {
  const { all } = dom;
  let groups = [];
  let broken = new Set(); // keys of the cells that break a limit or are left out

  // The frameworks that the reader left ticked, as the rule names them; undefined for all.
  function ticked(hidden) {
    if (!hidden.frameworks.size) return undefined;
    const options = groups.flatMap((group) => group.options);
    return new Set(options.filter((o) => !hidden.frameworks.has(String(o.f))).map((o) => o.framework));
  }

  function update(look, printing) {
    const given = limits.given();
    const hidden = inferometer.choices();
    const frameworks = ticked(hidden);
    const asked = frameworks ? { ...given, frameworks } : given;
    broken = new Set();
    groups.forEach((group, number) => {
      const decision = rule.decide(group, group.whole ? asked : given, "throughput");
      group.options.forEach((option, i) => decision.kept.has(i) || broken.add(option.key));
      for (const block of all(`.answer[data-group="${number}"]`)) answers.write(block, group, decision, { limited: Object.keys(asked).length > 0, ignored: Boolean(frameworks) && !group.whole });
      for (const place of all(`.frontier[data-group="${number}"]`)) frontier.draw(place, group, decision, given.latency, look, hidden, printing);
    });
    grey();
    limits.show();
    for (const select of all("select[data-y]")) select.value = state.get("y") ?? "throughput";
  }

  function grey() {
    for (const cell of all("[data-cell]")) cell.classList.toggle("out", broken.has(cell.dataset.cell));
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-y]")) state.set({ y: event.target.value === "throughput" ? null : event.target.value });
  });
  return { mount: (found) => (groups = found), update, grey, isOut: (key) => broken.has(key) };
})();
