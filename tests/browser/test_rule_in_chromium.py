"""The page's own rule against the engine's, on random results and random limits, in a real Chromium."""

import itertools
import json

import numpy as np
import pytest

import no_difference
from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.portable import OBJECTIVES, portable
from inferometer.recommendation.recommend import recommend
from inferometer.records import Memory
from inferometer.report.page.html import ASSETS
from inferometer.results.summary import summarise
from simulated_runs import GPU_MACHINE, cell, record, run

pytestmark = pytest.mark.browser

LIMITS = {
    "latency": "max_latency_s",
    "power": "max_power_w",
    "energy": "max_energy_j",
    "memory": "max_memory_bytes",
    "cost": "max_cost",
}
FIGURES = {"memory": "peak"}


def differing(seed):
    """Return results of frameworks that differ by much or by little, some of them metered, of one round to five."""
    rng = np.random.default_rng(seed)
    records = []
    watts = {name: float(rng.choice([40.0, 41.0, 80.0])) for name in "abcde"}
    rounds = int(rng.integers(1, 6))
    for name, size in itertools.product("abcde"[: rng.integers(2, 6)], (1, 4, 16)):
        rate = 100.0 * float(rng.choice([1.0, 1.01, 1.4, 3.0])) * size**0.4
        power = None if seed % 4 == 1 or (seed % 5 == 0 and name == "b") else watts[name]
        own, used = int(rng.choice([1, 2])) * 10**9, int(rng.choice([2, 3])) * 10**9
        memory = Memory(10**9, own, None if seed % 2 and name in "bd" else used)
        for number in range(rounds):
            speed = rate * float(np.exp(rng.choice([0.002, 0.03]) * rng.normal()))
            records.append(
                record(
                    cell(name, size),
                    number,
                    speed,
                    64,
                    power_w=power,
                    memory=memory,
                    noise=0.01,
                    seed=int(rng.integers(1e9)),
                )
            )
    return summarise([run(records, machine=GPU_MACHINE)])


def random_limits(rng, options, frameworks):
    """Return a limit or several, near what the options have, as the page names them."""
    chosen = {}
    for name in LIMITS:
        known = [o[FIGURES.get(name, name)] for o in options if o[FIGURES.get(name, name)] is not None]
        if known and rng.random() < 0.35:
            chosen[name] = float(rng.choice(known)) * float(rng.choice([0.5, 1.0, 1.0, 1.1]))
    if rng.random() < 0.3:
        chosen["frameworks"] = sorted(
            rng.choice(frameworks, size=rng.integers(1, len(frameworks) + 1), replace=False).tolist()
        )
    return chosen


def decided(found):
    """Return what must agree."""
    key = lambda option: option and option.summary.key  # noqa: E731
    return {
        "choice": key(found.choice),
        "leader": key(found.leader),
        "ties": [key(o) for o in found.ties],
        "grade": found.grade,
    }


def constraints_of(limits):
    given = {LIMITS[name]: value for name, value in limits.items() if name in LIMITS}
    return Constraints(**given, frameworks=tuple(limits.get("frameworks", ())))


def cases():
    kinds = [no_difference.results_of(kind, seed) for kind in no_difference.KINDS for seed in range(2)]
    rng = np.random.default_rng(7)
    for results in (*kinds, *(differing(seed) for seed in range(24))):
        groups = portable(results)
        for objective in OBJECTIVES:
            for _ in range(13):
                options = [o for group in groups for o in group["options"]]
                names = sorted({o["framework"] for o in options}) or ["a"]
                limits = random_limits(rng, options, names)
                wanted = recommend(results, constraints_of(limits), objective)
                yield groups, objective, limits, [decided(one) for one in wanted]


ANSWERS = """([groups, objective, limits]) => {
  const asked = { ...limits };
  if (limits.frameworks) asked.frameworks = new Set(limits.frameworks);
  return groups.map((group) => {
    const found = rule.decide(group, asked, objective);
    const key = (i) => (i === null ? null : group.options[i].key);
    return { choice: key(found.choice), leader: key(found.leader), ties: found.ties.map(key), grade: found.grade };
  });
}"""


def test_of_many_options_those_are_judged_that_limits_can_make_the_best(chromium, monkeypatch):
    monkeypatch.setattr("inferometer.recommendation.portable.MOST_OPTIONS", 3)
    page = chromium.new_page()
    page.add_script_tag(content=(ASSETS / "rule.js").read_text().replace("const rule =", "window.rule ="))
    rng, fewer = np.random.default_rng(5), 0
    for results in map(differing, range(8)):
        groups = portable(results)
        fewer += any("" in group["pairs"]["throughput"][:-1] for group in groups)
        for objective in OBJECTIVES * 6:
            limits = random_limits(rng, groups[0]["options"], ["a"])
            limits.pop("frameworks", None)
            found = page.evaluate(ANSWERS, [groups, objective, limits])
            assert found == [decided(one) for one in recommend(results, constraints_of(limits), objective)]
    page.close()
    assert fewer >= 4


def test_the_page_decides_as_the_engine_does(chromium):
    page = chromium.new_page()
    page.add_script_tag(content=(ASSETS / "rule.js").read_text().replace("const rule =", "window.rule ="))
    grades, checked = {}, 0
    for groups, objective, limits, wanted in cases():
        found = page.evaluate(ANSWERS, [groups, objective, limits])
        assert found == wanted, json.dumps([objective, limits])
        checked += len(wanted)
        for one in wanted:
            grades[one["grade"]] = grades.get(one["grade"], 0) + 1
    page.close()
    assert checked >= 1000
    assert all(grades.get(grade, 0) >= 20 for grade in ("none", "preliminary", "weak", "tie", "firm")), grades
