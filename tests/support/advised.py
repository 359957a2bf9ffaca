"""A simulated run to recommend from."""

from inferometer.recommendation.constraints import Constraints
from inferometer.recommendation.objectives import Prices
from inferometer.recommendation.recommend import recommend
from inferometer.records import Parity, Record
from inferometer.results.summary import summarise
from simulated_runs import cell, rounds_of, run


def agreeing(k, n):
    return Parity(True, 0, 0, 1, k / n, 1, n, agree_k=k, agree_n=n)


def sample():
    records = [
        *rounds_of(
            cell("fast", 8), [1000.0, 1001.0, 999.0], power_w=100.0, parity=agreeing(64, 64)
        ),  # 8 ms a batch, 100 mJ
        *rounds_of(cell("fast", 64), [2000.0, 2001.0, 1999.0], power_w=100.0),  # 32 ms, 50 mJ
        *rounds_of(cell("frugal", 64), [1500.0, 1501.0, 1499.0], power_w=30.0),  # 42.7 ms, 20 mJ
        *rounds_of(cell("poor", 64), [1400.0, 1401.0, 1399.0], power_w=90.0),
        *(Record(cell("broken", 64), n, "crashed", cause="SIGSEGV") for n in range(3)),
        *rounds_of(cell("wrong", 8), [900.0, 901.0, 899.0], parity=Parity(True, 0, 0, 1, 0.9, 1, 64)),
    ]
    return summarise([run(records)])


def advise(objective="throughput", prices=None, **constraints):
    (found,) = recommend(sample(), Constraints(**constraints), objective, prices or Prices())
    return found
