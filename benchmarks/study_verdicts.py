"""The study's claims, each with what its tables say of it."""

from __future__ import annotations

from collections.abc import Callable

from study_tables import (
    A2,
    CAPABILITY,
    CLOCK_MHZ,
    GPUS,
    SIZES,
    TENSORRT,
    TITAN,
    V100,
    Data,
    Verdict,
    judged,
    lead,
    listed,
)

from inferometer.findings import regressions


def tensorrt_on_a2(data: Data) -> Verdict:
    sizes = (16, 32, 64, 128, 256)
    return judged(
        [data.best("throughput", A2, s) in TENSORRT for s in sizes],
        "; ".join(lead(data, A2, s) for s in sizes),
    )


def onnxrt_on_a2(data: Data) -> Verdict:
    also = [s for s in SIZES if s not in (8, 512) and data.best("throughput", A2, s) == "onnxrt"]
    evidence = f"{lead(data, A2, 8)}; {lead(data, A2, 512)}; it also leads at {listed(also)}"
    return judged([data.best("throughput", A2, s) == "onnxrt" for s in (8, 512)], evidence)


def onnxrt_on_v100(data: Data) -> Verdict:
    significant = []
    for size in SIZES:
        (first, a), (_, b) = data.ranking("throughput", V100, size)[:2]
        significant.append(first == "onnxrt" and a / b > 1.10)
    return judged(
        significant, "significant read as more than 10 %: " + "; ".join(lead(data, V100, s) for s in SIZES)
    )


def torch_on_v100(data: Data) -> Verdict:
    sizes = [s for s in SIZES if (V100, "torch", s) in data.cells]
    shares = []
    for size in sizes:
        names = [row for row, _ in data.ranking("throughput", V100, size)]
        values = dict(data.ranking("throughput", V100, size))
        shares.append((size, names.index("torch") + 1, values["torch"] / values["onnxrt"]))
    return judged(
        [place == 2 for _, place, _ in shares],
        "; ".join(f"{size}: place {place}, {100 * share:.0f} % of onnxrt" for size, place, share in shares),
    )


def onnxrt_on_titan(data: Data) -> Verdict:
    parts = [(data.best("throughput", TITAN, s) == "onnxrt") == (s != 32) for s in SIZES]
    return judged(parts, "; ".join(lead(data, TITAN, s) for s in SIZES))


def tfxla_on_titan(data: Data) -> Verdict:
    best = [s for s in SIZES if data.best("throughput", TITAN, s) == "tfxla"]
    place = [row for row, _ in data.ranking("throughput", TITAN, 16)].index("tfxla") + 1
    evidence = f"{lead(data, TITAN, 16)}; tfxla is at place {place} there and best at {listed(best)}"
    return judged([16 in best], evidence)


def v100_first(data: Data) -> Verdict:
    cells = data.common(*GPUS)
    others = {
        (row, size, gpu)
        for row, size in cells
        for gpu in (A2, TITAN)
        if (data.value("throughput", gpu, row, size) or 0) > (data.value("throughput", V100, row, size) or 0)
    }
    beyond = sorted(
        (size, row, gpu)
        for row, size, gpu in others
        if gpu == A2 or size > 32 or not ("xla" in row or row in TENSORRT)
    )
    won = len({(row, size) for row, size in cells} - {(row, size) for row, size, _ in others})
    words = listed(f"{gpu} with {row} at {size}" for size, row, gpu in beyond)
    titan = sorted((size, row) for row, size, gpu in others if gpu == TITAN)
    evidence = (
        f"V100 is fastest in {won} of {len(cells)} common cells; TITAN X beats it in {len(titan)} "
        f"({listed(f'{row} at {size}' for size, row in titan)}); exceptions that the study does not name: {words}"
    )
    return judged([won > len(cells) / 2, not beyond], evidence)


def follows(metric: str, facts: dict[str, float], data: Data, what: str) -> Verdict:
    """Return whether the machines' mean throughput is ordered as a fact about them."""
    means = {gpu: data.mean(metric, gpu) for gpu in GPUS}
    by_fact = sorted(GPUS, key=facts.__getitem__)
    evidence = (
        "geometric mean over the common cells: "
        + "; ".join(f"{gpu} {means[gpu]:.4g} images/s, {facts[gpu]:g} {what}" for gpu in by_fact)
        + ". Three machines that differ in everything at once: an order, not a cause"
    )
    return judged([by_fact == sorted(GPUS, key=means.__getitem__)], evidence)


def clock(data: Data) -> Verdict:
    means = {gpu: data.mean("throughput", gpu) for gpu in GPUS}
    quickest = max(GPUS, key=CLOCK_MHZ.__getitem__)
    evidence = "; ".join(f"{gpu} {CLOCK_MHZ[gpu]} MHz, {means[gpu]:.4g} images/s" for gpu in GPUS)
    return judged(
        [means[quickest] == min(means.values())], f"{evidence}: the highest clock has the lowest mean"
    )


def capability(data: Data) -> Verdict:
    means = {gpu: data.mean("throughput", gpu) for gpu in GPUS}
    evidence = "; ".join(f"{gpu} {CAPABILITY[gpu]}, {means[gpu]:.4g} images/s" for gpu in GPUS)
    return Verdict(
        "cannot be told",
        f"{evidence}: the highest capability is the slowest, but the tables do not say which operations ran",
    )


def newer_is_frugal(data: Data) -> Verdict:
    pairs = ((A2, V100), (V100, TITAN), (A2, TITAN))
    parts, words = [], []
    for metric, name in (("power", "W"), ("energy", "J an image")):
        for newer, older in pairs:
            cells = data.common(newer, older)
            wins = sum(
                (data.value(metric, newer, r, s) or 0) < (data.value(metric, older, r, s) or 0)
                for r, s in cells
            )
            parts.append(wins == len(cells))
            words.append(f"{newer} below {older} in {wins} of {len(cells)} cells ({name})")
    return judged(parts, "; ".join(words))


def a2_every_case(data: Data) -> Verdict:
    cells = data.common(*GPUS)
    wins = sum(min(GPUS, key=lambda g: data.value("power", g, r, s) or 0) == A2 for r, s in cells)
    return judged([wins == len(cells)], f"lowest power in {wins} of {len(cells)} common cells")


def tf_until_32(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (8, 16, 32)]
    parts = [data.best("power", gpu, size) == "tf" for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'power')}"
        for (gpu, size), part in zip(cells, parts, strict=True)
        if not part
    ]
    frugal = sum(data.best("energy", gpu, size) == "tf" for gpu, size in cells)
    places = [[r for r, _ in data.ranking("energy", g, s)].index("tf") + 1 for g, s in cells]
    evidence = (
        f"lowest power in {sum(parts)} of {len(parts)} (not: {listed(wrong)}). In energy an image, which decides what a job costs, "
        f"tf is best in {frugal} and at places {min(places)} to {max(places)} of 8"
    )
    return judged(parts, evidence)


def tensorrt_from_32(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in SIZES if size > 32]
    parts = [data.best("power", gpu, size) in TENSORRT for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'power')}"
        for (gpu, size), part in zip(cells, parts, strict=True)
        if not part
    ]
    return judged(
        parts, f"lowest power in {sum(parts)} of {len(parts)} cells above batch size 32; not: {listed(wrong)}"
    )


def tensorrt_difference(data: Data) -> Verdict:
    parts, words = [], []
    for gpu in GPUS:
        gaps = [
            abs(
                (data.value("power", gpu, TENSORRT[0], s) or 0)
                - (data.value("power", gpu, TENSORRT[1], s) or 0)
            )
            for s in SIZES
        ]
        parts += [20 <= gap <= 30 for gap in gaps]
        words.append(f"{gpu} {min(gaps):.1f} to {max(gaps):.1f} W")
    return judged(parts, f"{'; '.join(words)}: within 20 to 30 W in {sum(parts)} of {len(parts)} cells")


def onnxrt_power(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in SIZES]
    most = sum(data.ranking("power", gpu, size)[-1][0] == "onnxrt" for gpu, size in cells)
    places = {
        g: [[r for r, _ in data.ranking("energy", g, s)].index("onnxrt") + 1 for s in SIZES] for g in GPUS
    }
    evidence = (
        f"highest power in {most} of {len(cells)} cells; but in energy an image its places over the batch sizes 8 to 512 are "
        + "; ".join(f"{gpu} {listed(found)}" for gpu, found in places.items())
    )
    frugal = [gpu for gpu, found in places.items() if sum(place <= 3 for place in found) > len(SIZES) / 2]
    evidence += f": on {listed(frugal)} it is among the three most frugal at most batch sizes"
    return judged([most > len(cells) / 2, not frugal], evidence)


def trend(data: Data) -> Verdict:
    lines = regressions(data.results.summaries)
    rising = sum(line.slope > 0 for line in lines.values())
    weak = [
        f"{row} on {scope[0]} (R2 {line.r2:.2f})" for (scope, row), line in lines.items() if line.r2 < 0.5
    ]
    return judged(
        [rising == len(lines)],
        f"the slope is positive for {rising} of {len(lines)}; R2 below 0.5: {listed(weak)}",
    )


def negative_slope(data: Data) -> Verdict:
    lines = regressions(data.results.summaries)
    least = min(lines, key=lambda key: lines[key].slope)
    return Verdict(
        "cannot be told",
        f"a definition; none has one: the least is {least[1]} on {least[0][0]}, {1e3 * lines[least].slope:+.3g} mW per image/s",
    )


def gentle(gpu: str, named: tuple[str, ...]) -> Callable[[Data], Verdict]:
    """Return the check that the named rows have the smallest slopes of power on throughput on a GPU."""

    def check(data: Data) -> Verdict:
        lines = {
            row: line for (scope, row), line in regressions(data.results.summaries).items() if scope[0] == gpu
        }
        order = sorted(lines, key=lambda row: lines[row].slope)
        parts = [row in order[: len(named)] for row in named]
        words = [f"{row} {1e3 * lines[row].slope:+.3g} (R2 {lines[row].r2:.2f})" for row in order]
        return judged(parts, f"slopes in mW per image/s, least first: {'; '.join(words)}")

    return check


def tensorrt_at_32_and_64(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (32, 64)]
    parts = [data.best("throughput", gpu, size) in TENSORRT for gpu, size in cells]
    return judged(parts, "; ".join(f"{gpu} at {lead(data, gpu, size)}" for gpu, size in cells))


def tensorrt_power(data: Data) -> Verdict:
    cells = [(gpu, size) for gpu in GPUS for size in (32, 64)]
    parts = [data.best("energy", gpu, size) in TENSORRT for gpu, size in cells]
    wrong = [
        f"{gpu} at {lead(data, gpu, size, 'energy')} J an image"
        for (gpu, size), ok in zip(cells, parts, strict=True)
        if not ok
    ]
    return judged(
        parts,
        f"sustainable read as least energy an image: true in {sum(parts)} of {len(parts)} cells; not: {listed(wrong)}",
    )


def table_1(data: Data) -> Verdict:
    missing = [
        f"{gpu} with {row} ({data.value('throughput', gpu, row, 16):.4g} against {data.value('throughput', V100, row, 16):.4g})"
        for row in data.rows
        for gpu in (A2, TITAN)
        if (data.value("throughput", gpu, row, 16) or 0) > (data.value("throughput", V100, row, 16) or 0)
        and (gpu, row) not in {(TITAN, r) for r in ("tfxla", "kerasxla", *TENSORRT)}
    ]
    return judged(
        [not missing],
        f"cells of batch size 16 that beat the V100 but have no asterisk in table 1: {listed(missing)}",
    )
