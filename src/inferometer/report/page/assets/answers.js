// The first sentence of each machine, rewritten as limits move: the words are those of `report/page/answers.py`.
"use strict";
const answers = (() => {
  const listed = (words) => (words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join(""));

  // Cells in words, those of one row together: "a at batch sizes 8 and 16".
  function grouped(options) {
    const sizes = new Map();
    for (const { row, size } of options) sizes.set(row, [...(sizes.get(row) ?? []), size]);
    return [...sizes].map(([row, found]) => {
      const numbers = found.toSorted((a, b) => a - b).map(String);
      return `${row} at batch size${numbers.length > 1 ? "s" : ""} ${listed(numbers)}`;
    });
  }

  function head(choice, grade) {
    if (!choice) return "no choice";
    if (grade === "none") return `no verdict; the best figure is of ${choice.name}`;
    return `${grade === "preliminary" ? "so far " : ""}use ${choice.name}`;
  }

  function write(block, group, decision, { limited, ignored }) {
    const of = (i) => group.options[i];
    const choice = decision.choice === null ? null : of(decision.choice);
    const put = (name, text) => (block.querySelector(`.${name}`).textContent = text);
    put("pick", head(choice, decision.grade));
    put("figures", choice ? choice.figures : limited ? "nothing keeps these limits" : block.dataset.figures);
    put("ties", decision.ties.length ? `May be as good: ${listed(grouped(decision.ties.map(of)))}.` : "");
    put("grade", decision.grade === "preliminary" ? `preliminary, ${group.measured[0]} of ${group.measured[1]}` : decision.grade);
    const left = limited ? `${decision.kept.size} of ${group.options.length} cells keep the limits.` : "";
    put("left", ignored ? `${left} Hidden frameworks still count: there are too many cells to decide without them.` : left);
    block.dataset.grade = decision.grade;
    block.querySelector(".grade").title = decision.reasons.map(([, word]) => word).join("; ");
  }

  return { write };
})();
