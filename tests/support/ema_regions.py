"""Regions of nothing, by EMA's calls."""

from inferometer.ema import (
    EMA_finalize,
    EMA_init,
    EMA_region_begin,
    EMA_region_define,
    EMA_region_end,
)


def run_regions(*names):
    EMA_init(meters=["rapl"])
    for name in names:
        region = EMA_region_define(name)
        EMA_region_begin(region)
        EMA_region_end(region)
    EMA_finalize()
