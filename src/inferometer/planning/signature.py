"""The table of options as the signature and the documentation of a function that takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from inferometer.planning.options import OPTIONS, type_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


def shows_options(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let `help` and notebooks show every option, with its default, of a function with ``**options: Unpack[Options]``.

    Type checkers and editors read them from `Options` itself.
    """
    signature = inspect.signature(function)
    kinds = inspect.Parameter
    own = [p for p in signature.parameters.values() if p.kind is not kinds.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, kinds.KEYWORD_ONLY, default=option.default, annotation=type_of(name))
        for name, option in OPTIONS.items()
    ]
    positional = [p for p in own if p.kind is not kinds.KEYWORD_ONLY]
    keywords = [p for p in own if p.kind is kinds.KEYWORD_ONLY]
    cast("Any", function).__signature__ = signature.replace(parameters=[*positional, *options, *keywords])
    lines = (f"    {name}: {option.help}" for name, option in OPTIONS.items())
    function.__doc__ = "\n".join((inspect.cleandoc(function.__doc__ or ""), "", *lines))
    return function
