// What to deploy under limits: `recommendation.recommend` in the page's language, held against it by tests on random results.
// Which pairs of cells the data tell apart was computed there (`recommendation.portable`); here is only the choosing.
"use strict";
const rule = (() => {
  const NEARLY = 0.03; // peaks of memory this close are as good as each other
  const GRADES = ["none", "preliminary", "weak", "tie", "firm"]; // the least sure first

  // Whether an option keeps every limit that is given; a figure that is not known keeps none.
  function keeps(option, limits) {
    const most = [["latency", "latency"], ["power", "power"], ["energy", "energy"], ["peak", "memory"], ["loss", "loss"], ["cost", "cost"]];
    for (const [figure, name] of most)
      if (limits[name] !== undefined && (option[figure] === null || option[figure] > limits[name])) return false;
    return !limits.frameworks || limits.frameworks.has(option.framework);
  }

  // The letter of `portable` for two options by their places in an objective's order.
  const letter = (group, objective, first, second) => group.pairs[objective][first][second - first - 1];

  // The best option as [place], and all whose letters say that they may be as good.
  function candidates(group, places, objective) {
    const [best, ...others] = places;
    return [best, ...others.filter((place) => "on".includes(letter(group, objective, best, place)))];
  }

  const told = (pairs, better, other, claims) => (pairs[`${better},${other}`] ?? 0) >= claims;

  function leastEnergy(group, left) {
    const of = (i) => group.options[i];
    if (new Set(left.map((i) => of(i).meter)).size > 1 || left.some((i) => of(i).energy === null)) return left;
    const [least, ...others] = left.toSorted((a, b) => of(a).energy - of(b).energy);
    return left.filter((i) => i === least || !told(group.energy_told, least, i, others.length));
  }

  function leastLatency(group, left) {
    const of = (i) => group.options[i].mean_latency;
    const [least, ...others] = left.toSorted((a, b) => of(a) - of(b));
    return left.filter((i) => i === least || !told(group.latency_told, least, i, others.length));
  }

  function leastMemory(group, left) {
    const of = (i) => group.options[i];
    const peaks = left.map((i) => of(i).memory);
    if (new Set(left.map((i) => of(i).memory_source)).size > 1 || peaks.includes(null)) return left;
    return left.filter((i) => of(i).memory <= Math.min(...peaks) * (1 + NEARLY));
  }

  // By code points, as Python compares texts.
  function before(a, b) {
    const [first, second] = [[...a], [...b]].map((text) => text.map((letter) => letter.codePointAt(0)));
    const at = first.findIndex((code, i) => code !== second[i]);
    return at < 0 ? first.length - second.length : first[at] - (second[at] ?? -1);
  }

  function firstByName(group, left) {
    const of = (i) => group.options[i];
    return left.toSorted((a, b) => before(of(a).row, of(b).row) || of(a).size - of(b).size).slice(0, 1);
  }

  // One option among equals: known well, then least energy, latency, memory, then by name.
  function choose(group, found, objective) {
    const known = found.filter((i) => !group.options[i].wide[objective]);
    let left = known.length ? known : found;
    for (const keep of [leastEnergy, leastLatency, leastMemory, firstByName]) if (left.length > 1) left = keep(group, left);
    return left[0];
  }

  // The first option of another row that cannot be told from the best, else the next best of one; null without any.
  function rival(group, places, objective) {
    const { order, options } = group;
    const row = (place) => options[order[objective][place]].row;
    const rivals = places.slice(1).filter((place) => row(place) !== row(places[0]));
    const open = rivals.find((place) => letter(group, objective, places[0], place) === "o");
    const nearest = open ?? rivals[0];
    if (nearest === undefined) return null;
    return { option: order[objective][nearest], judged: !"nf".includes(letter(group, objective, places[0], nearest)) };
  }

  // Why a choice is not firm, as [grade, word] pairs.
  function reasons(group, choice, leader, lead, ties, objective, byLatency, unknown) {
    const of = (i) => group.options[i];
    const pair = [...new Set([choice, leader])];
    const involved = [...new Set([...pair, ...ties, ...(lead ? [lead.option] : [])])];
    const found = group.open === "firm" ? [] : [[group.open, group.open === "preliminary" ? "not all is measured" : "failures or no rival"]];
    if (unknown) found.push(["weak", `${unknown} cell${unknown > 1 ? "s have" : " has"} no such figure`]);
    if (pair.some((i) => of(i).wide[objective])) found.push(["none", "known to ±50 % or worse"]);
    if (pair.some((i) => of(i).alone[objective]) || (lead && !lead.judged)) found.push(["weak", "one process only"]);
    if (involved.some((i) => of(i).disturbed)) found.push(["weak", "not measured in quiet"]);
    if (of(choice).few[byLatency]) found.push(["weak", "few batches"]);
    if (ties.length) found.push(["tie", "a tie"]);
    return found;
  }

  const gravest = (found) => GRADES[Math.min(GRADES.length - 1, ...found.map(([grade]) => GRADES.indexOf(grade)))];

  // The decision for one machine, model and mode; options by their numbers, `choice` null where nothing keeps the limits.
  function decide(group, limits, objective) {
    const byLatency = limits.latency !== undefined;
    const within = [...group.options.keys()].filter((i) => keeps(group.options[i], limits));
    const kept = new Set(within.filter((i) => group.options[i][objective] !== null));
    const order = group.order[objective];
    const places = [...order.keys()].filter((place) => kept.has(order[place]));
    if (!places.length) return { kept, choice: null, leader: null, ties: [], grade: "none", reasons: [] };
    const found = candidates(group, places, objective).map((place) => order[place]);
    const lead = rival(group, places, objective);
    const settle = (choice) => {
      const ties = found.filter((i) => i !== choice);
      const why = reasons(group, choice, found[0], lead, ties, objective, byLatency, within.length - kept.size);
      return { kept, choice, leader: found[0], ties, grade: gravest(why), reasons: why };
    };
    const chosen = settle(choose(group, found, objective));
    return chosen.grade === "none" ? settle(found[0]) : chosen;
  }

  return { decide };
})();
