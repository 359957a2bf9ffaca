"""A named region as programs use it: `with`, or a decorator."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

from inferometer.energy.regions.total import Visit, Visited
from inferometer.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


class Region(AbstractContextManager["Region"]):
    """A named region: `with Region(...)`, or a decorator; one object may be nested in itself and shared by threads."""

    def __init__(self, name: str, profile: Callable[[], Visited]) -> None:
        self.name = name
        self._profile = profile
        self._visits = threading.local()

    def __enter__(self) -> Region:
        self._stack().append(self._profile().begin(self.name))
        return self

    def __exit__(self, *exc: object) -> None:
        visit = self._stack().pop()
        visit.profile.end(visit)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return ``function``, or coroutine function, with each call measured as a visit; UsageError for a generator."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"region '{self.name}' cannot decorate the generator {function.__name__}: its caller's work would be in it; "
                "use 'with region(...)' around the work between its yields"
            )
        if inspect.iscoroutinefunction(function):
            return self._around_coroutine(function)

        @functools.wraps(function)
        def measured(*arguments: P.args, **options: P.kwargs) -> R:
            with self:
                return function(*arguments, **options)

        return measured

    def _around_coroutine(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(function)
        async def measured(*arguments: P.args, **options: P.kwargs) -> Any:
            profile = self._profile()
            visit = profile.begin(self.name)  # not on the thread's stack: tasks that take turns do not nest
            try:
                return await function(*arguments, **options)
            finally:
                profile.end(visit)

        return measured

    def _stack(self) -> list[Visit]:
        if not hasattr(self._visits, "stack"):
            self._visits.stack = []
        stack: list[Visit] = self._visits.stack
        return stack
