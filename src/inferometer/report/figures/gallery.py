"""Every figure of some results, for notebooks: a mapping from names to plotly figures, drawn when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from inferometer.report.figures.colours import palette_of
from inferometer.report.figures.plotly_figure import figure_specs_of, plotly_figure
from inferometer.results.cells import Results

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class Gallery(Mapping[str, "Figure"]):
    """The figures of one model in one mode by their names; as a notebook cell's value it shows them one below the other."""

    def __init__(
        self,
        results: Results,
        *,
        model: str | None = None,
        mode: str | None = None,
        machine: str | None = None,
    ) -> None:
        self._palette = palette_of(results)
        self._specs = {spec.key: spec for spec in figure_specs_of(results, model, mode, machine)}

    def __getitem__(self, name: str) -> Figure:
        return plotly_figure(self._specs[name], self._palette)

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def __repr__(self) -> str:
        return f"<figures: {', '.join(self)}>"

    def _ipython_display_(self) -> None:
        """Show every figure that has something to draw, and say of the others why not."""
        from IPython.display import display

        empty = []
        for name, spec in self._specs.items():
            if spec.charts:
                display(self[name])
            else:
                empty.append(f"{spec.title}: {'; '.join(spec.omitted) or 'no cell ended well'}")
        if empty:
            display({"text/plain": "\n".join(empty)}, raw=True)
