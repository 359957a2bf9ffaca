import math

import numpy as np

from inferometer.recommendation import options


def test_the_front_of_many_options_is_what_no_other_dominates():
    rng = np.random.default_rng(5)
    points = {tuple(row) for row in rng.integers(0, 12, (400, 3)).astype(float).tolist()}
    points |= {(1.0, math.inf, 2.0), (math.nan, 0.0, 0.0)}
    expected = {p for p in points if not any(options._dominates(other, p) for other in points)}
    assert options._undominated(points) == expected
