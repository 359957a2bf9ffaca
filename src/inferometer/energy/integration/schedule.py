"""Dates of updates that come at a regular period: each is known better by those beside it. Pure.

Reads tell of an update only that it came between two of them. To take each for the middle, whatever its neighbours say, makes
stretches of 6 to 14 ms of what all lasted 10 ms, and a regression on such lengths is biased towards too little power (errors in
variables). Where updates keep to a period, what the reads say of many in a row must fit together: that dates each of them to a
fraction of the time between two reads. Blocks of updates in which it does not fit are tried in parts (one of them came late,
and those after it keep to the new time), and stay as they are where nothing fits. The bounds of a counter that integrates do not
rest on this.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from inferometer.energy.integration.anchors import Anchors, Floats

BLOCKS = (32, 16, 8)  # updates in a row that are dated together
JITTERS = (
    0.003,
    0.01,
    0.03,
)  # of the period, that one may be longer or shorter than others; the least that fits
CHANCE = 1e-3  # with which updates that keep to no period may pass for such that do
VAGUE = 0.7  # of the period: an update that is dated no better may be this one or the next
DOUBT = 0.1  # of the period as it was learnt: a busy machine makes it look longer
CANDIDATES = 101
FINER = 4  # times as many about the likely ones
LIKELY = 0.9  # of how well the best candidate keeps step
LOOKED_AT = 1024  # updates

Flags = NDArray[np.bool_]


def on_schedule(anchors: Anchors, period_s: float) -> Anchors:
    """Return the updates with their times as narrow as a regular schedule makes them, where they keep to one.

    Without those, then, of which nothing tells whether they were this update or the next: what the one after them shows holds theirs.
    """
    origin = int(anchors.since_ns[0]) if len(anchors) else 0
    low, high = (anchors.since_ns - origin).astype(np.float64), (anchors.high_ns - origin).astype(np.float64)
    if len(low) < BLOCKS[-1] or not np.median(high - low) < VAGUE * period_s * 1e9:
        return anchors  # too few of them, or reads so far apart that they show no single updates
    period = _period(low, high, period_s * 1e9)
    alone = np.ones(len(low), bool)
    for size in BLOCKS:
        shape, part = (len(low) // size, size), slice(0, len(low) // size * size)
        lows, highs, fits = _dated(low[part].reshape(shape), high[part].reshape(shape), period)
        fits &= alone[part].reshape(shape).all(axis=1)
        for values, found in ((low, lows), (high, highs), (alone, np.zeros(shape, bool))):
            values[part].reshape(shape)[fits] = found[fits]
    for step in (1, -1):
        _extend(low, high, alone, period, step)
    since = np.maximum(origin + np.floor(low).astype(np.int64), anchors.since_ns)
    until = np.minimum(origin + np.ceil(high).astype(np.int64), anchors.high_ns)
    dated = Anchors(anchors.low_ns, until, anchors.energy_j, since)
    vague = high - low > VAGUE * period
    vague[[0, -1]] = False  # these enclose all that is of interest
    return dated.only(~vague) if np.count_nonzero(alone) < len(alone) / 2 else dated


def _period(low: Floats, high: Floats, about: float) -> float:
    """Return the period near the one that was learnt with which the updates keep step best."""
    size = min(BLOCKS[0], len(low))
    part, shape = slice(0, min(len(low), LOOKED_AT) // size * size), (-1, size)
    low, high = low[part].reshape(shape), high[part].reshape(shape)
    middle = (low + high) / 2
    periods = about * np.linspace(1 - DOUBT, 1 + DOUBT, CANDIDATES)
    between = (periods[1] - periods[0]) * np.arange(FINER) / FINER
    fine = (_likely(middle, periods)[:, None] + between).ravel()
    likely = _likely(middle, fine)
    about = float(likely[_in_step(low, high, likely[:, None, None]).argmax()])
    lows, highs, fits = _dated(low, high, about)
    if not fits.any():
        return about
    times = (lows[fits] + highs[fits]) / 2
    number = np.rint((times - times[:, :1]) / about)
    number -= number.mean(axis=1, keepdims=True)
    return float(np.median((number * times).sum(axis=1) / (number**2).sum(axis=1)))


def _likely(middle: Floats, periods: Floats) -> Floats:
    """Return the periods with which the updates of blocks keep step about as well as with the best."""
    in_step = (np.abs(_direction(middle / periods[:, None, None])) ** 2).sum(axis=1)
    return np.asarray(periods[in_step >= LIKELY * in_step.max()])


def _in_step(low: Floats, high: Floats, periods: Floats) -> Floats:
    """Return how well the updates of blocks keep step with each period, where reads allow it, by the share of updates that were seen.

    Reads as regular as the updates show them in step with a second period just as well, with some that nobody saw or none to see.
    """
    number, in_step = _numbered(low, high, periods)
    due = np.maximum(number[..., -1] - number[..., 0] + 1, low.shape[1])
    kept: Floats = np.where(_possible(low, high, number, periods), in_step**2 / due, 0.0).sum(axis=-1)
    return kept


def _numbered(low: Floats, high: Floats, period: float | Floats) -> tuple[Floats, Floats]:
    """Return which update of a regular schedule each is, of each block, and how well the block keeps step (0 to 1)."""
    turns = (low + high) / 2 / period
    direction = _direction(turns)
    return np.rint(turns - np.angle(direction)[..., None] / (2 * np.pi)), np.abs(direction)


def _possible(low: Floats, high: Floats, number: Floats, period: float | Floats) -> Flags:
    """Return in which blocks each is an update of its own, and reads would not have shown one that is missing between two."""
    vague = high - low > VAGUE * period
    latest = np.maximum.accumulate(np.where(vague, -np.inf, number), axis=-1)[..., :-1]
    hidden = number[..., 1:] - latest - 1
    read_ns = np.diff(low)  # before the later one was read: what came until then added nothing
    fits = vague[..., 1:] | (hidden >= 0) & (
        vague[..., :-1] | (hidden * period * (1 - JITTERS[-1]) <= read_ns)
    )
    return np.asarray(fits.all(axis=-1))


def _direction(turns: Floats) -> NDArray[np.complex128]:
    """Return the mean of phases as directions, of each block."""
    found: NDArray[np.complex128] = np.exp(2j * np.pi * turns).mean(axis=-1)
    return found


def _dated(low: Floats, high: Floats, period: float) -> tuple[Floats, Floats, Flags]:
    """Return the narrowed times of each block's updates (arrays [blocks, updates]), and which blocks fit a schedule."""
    number, _ = _numbered(low, high, period)
    possible = _possible(low, high, number, period)
    passed = (number - number[:, :1]) * period
    widths = (high - low) / period
    narrow_low, narrow_high, done = low.copy(), high.copy(), np.zeros(len(low), bool)
    for jitter in JITTERS:
        doubt = low.shape[1] * np.prod(np.minimum(widths + 2 * jitter, 1.0), axis=1)
        fits = possible & ~done & (doubt < CHANCE)
        lows, highs, found = _fitted(low[fits], high[fits], passed[fits], period, jitter)
        fits[fits] = found
        narrow_low[fits], narrow_high[fits] = lows[found], highs[found]
        done |= fits
    return narrow_low, narrow_high, done


def _fitted(
    low: Floats, high: Floats, passed: Floats, period: float, jitter: float
) -> tuple[Floats, Floats, Flags]:
    """Return the narrowed times of updates that came so long after one another, and in which blocks they fit."""
    vague = high - low > VAGUE * period
    least, most = _propagated(np.where(vague, -np.inf, low), np.where(vague, np.inf, high), passed, jitter)
    fits: Flags = np.asarray((least <= most).all(axis=1))
    lows, highs, certain = _latest(least, most, low, high, period)
    middle = (lows + highs) / 2
    passed = np.rint((middle - middle[:, :1]) / period) * period
    # once more, now that it is known which of the updates the vague ones are
    least, most = _propagated(
        np.where(certain, low, -np.inf), np.where(certain, high, np.inf), passed, jitter
    )
    again = certain & (least <= most).all(axis=1, keepdims=True)
    return np.where(again, least, lows), np.where(again, most, highs), fits


def _propagated(low: Floats, high: Floats, passed: Floats, jitter: float) -> tuple[Floats, Floats]:
    """Return what all updates of a block say of each, if so much time passed between them, give or take."""
    short, long = passed * (1 - jitter), passed * (1 + jitter)

    def before(values: Floats) -> Floats:
        return np.maximum.accumulate(values, axis=1)

    def after(values: Floats) -> Floats:
        return before(values[:, ::-1])[:, ::-1]

    least = np.maximum(before(low - short) + short, after(low - long) + long)
    most = np.minimum(long - before(long - high), short - after(short - high))
    return least, most


def _latest(
    least: Floats, most: Floats, low: Floats, high: Floats, period: float
) -> tuple[Floats, Floats, Flags]:
    """Return the times between ``low`` and ``high`` of updates due between ``least`` and ``most``, or periods before or after.

    A read shows the latest of several updates. Those of which that does not tell which it was stay as they are; which are not.
    """
    shift = np.floor((high - least) / period) * period
    least, most = least + shift, most + shift
    certain: Flags = (most >= low) & ((most <= high) | (most - period < low))
    return (
        np.where(certain, np.maximum(least, low), low),
        np.where(certain, np.minimum(most, high), high),
        certain,
    )


def _extend(low: Floats, high: Floats, alone: Flags, period: float, step: int) -> None:
    """Date updates that no block dated by the one before (``step`` 1) or after (-1), as far as that fits; changes the arrays."""
    for place in range(len(low))[::step][1:]:
        known = place - step
        if not alone[place] or alone[known] or high[known] - low[known] > VAGUE * period:
            continue
        doubt = JITTERS[0] * abs(low[place] - low[known])
        due, own = np.array((low[known] - doubt, high[known] + doubt)), slice(place, place + 1)
        low[own], high[own], certain = _latest(due[:1], due[1:], low[own], high[own], period)
        alone[place] = not certain[0]
