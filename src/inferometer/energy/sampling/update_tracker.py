"""When to read a counter that is updated seldom, so that two reads date each update to a few milliseconds. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from inferometer.energy.readings import Reading


@dataclass
class UpdateTracker:
    """Says when to read a slow counter: just before and just after its next update; learns period and phase.

    An update is expected at ``due_ns``, give or take ``slack_ns``. Slack shrinks while the two reads enclose the updates;
    when one comes too early or too late, the expectation moves that way and slack grows.
    """

    period_ns: float
    slack_ns: float = 5e6
    least_slack_ns: float = 1e6
    locked: bool = False
    due_ns: float = 0.0
    _read_ns: float = 0.0  # how long a read takes
    _ahead: int = 1  # periods from the latest update to the one expected
    _first: tuple[float, int] = (0.0, 0)  # an early update and the number of periods since then
    _latest_ns: float = 0.0  # the latest update seen
    _late: bool = False

    def after(self, previous: Reading | None, reading: Reading, pace_ns: float) -> float:
        """Return when to read next, given the latest two readings."""
        self._read_ns = max(0.9 * self._read_ns, reading.t_after_ns - reading.t_before_ns)
        if previous is None:
            return reading.t_after_ns + self.step_ns
        if not self.locked:
            return self._acquire(previous, reading, pace_ns)
        if reading.t_before_ns < self.due_ns:
            return self._before_due(previous, reading, pace_ns)
        return self._past_due(previous, reading, pace_ns)

    @property
    def step_ns(self) -> float:
        """Return the time between reads while an update is awaited."""
        return max(2 * self.slack_ns, self._read_ns) if self.locked else 0.15 * self.period_ns

    @property
    def width_ns(self) -> float:
        """Return how narrowly an update's time is enclosed."""
        return 2 * self.slack_ns + 2 * self._read_ns

    def _acquire(self, previous: Reading, reading: Reading, pace_ns: float) -> float:
        if (
            reading.value == previous.value
            or reading.t_after_ns - previous.t_before_ns > 0.6 * self.period_ns
        ):
            return reading.t_after_ns + self.step_ns
        self.locked = True
        middle_ns = (previous.t_before_ns + reading.t_after_ns) / 2
        self._first, self._latest_ns = (middle_ns, 0), middle_ns
        return self._expect(middle_ns, reading.t_after_ns, pace_ns)

    def _before_due(self, previous: Reading, reading: Reading, pace_ns: float) -> float:
        """The first of the two reads: the latest update but one must still be shown."""
        skipped = self._ahead > 1 or reading.t_before_ns - previous.t_after_ns > 1.5 * self.period_ns
        if reading.value == previous.value or skipped:
            return self.due_ns + self.slack_ns
        self._adapt(False)
        at_ns = reading.t_before_ns - self.slack_ns / 2
        self._learn(at_ns, reading.t_after_ns - previous.t_before_ns)
        return self._expect(at_ns, reading.t_after_ns, pace_ns)

    def _past_due(self, previous: Reading, reading: Reading, pace_ns: float) -> float:
        """The second read, or a later one while the update is late."""
        if reading.value != previous.value:
            low_ns, high_ns = previous.t_before_ns, reading.t_after_ns
            at_ns = (low_ns + high_ns) / 2 if self._late else min(max(self.due_ns, low_ns), high_ns)
            self._adapt(not self._late)
            self._learn(at_ns, high_ns - low_ns)
            return self._expect(at_ns, reading.t_after_ns, pace_ns)
        self._late = True
        if self._ahead > 1 and reading.t_before_ns > self.due_ns + 3 * self.slack_ns:
            # too early rather than too late, which nothing but the next update can tell
            self._adapt(False)
            return self._expect(self.due_ns - 2 * self.slack_ns, reading.t_after_ns, self.period_ns)
        if reading.t_before_ns > self.due_ns + 0.7 * self.period_ns:
            self.locked = False
        return reading.t_after_ns + self.step_ns

    def _expect(self, update_ns: float, now_ns: float, pace_ns: float) -> float:
        """Plan for the update that comes a pace after the latest one; return when to read before it."""
        self._ahead = max(round(pace_ns / self.period_ns), 1)
        self._late = False
        self.due_ns = update_ns + self._ahead * self.period_ns
        return max(self.due_ns - self.slack_ns - self._read_ns, now_ns)

    def _learn(self, at_ns: float, width_ns: float) -> None:
        """Take an update's time, known within ``width_ns``, into the period; a read that was held up tells none."""
        if width_ns > 0.9 * self.period_ns:
            return
        start_ns, count = self._first
        # by the time that passed: a read that was held up may have let more updates pass than were planned
        count += max(round((at_ns - self._latest_ns) / self.period_ns), 1)
        self._latest_ns = at_ns
        learned_ns = (at_ns - start_ns) / count
        if count >= 50 and abs(learned_ns / self.period_ns - 1) > 0.02:
            self.locked = False  # lost count of the updates: begin again
        elif count >= 50:
            self.period_ns = learned_ns
        self._first = (start_ns, count) if count < 3000 else (at_ns, 0)

    def _adapt(self, as_predicted: bool) -> None:
        factor = 0.9 if as_predicted else 1.4
        self.slack_ns = min(max(self.slack_ns * factor, self.least_slack_ns), self.period_ns / 8)
