import pytest

from inferometer.results.shares import wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(4, 4, 0.5101, 1.0), (64, 64, 0.9434, 1.0), (0, 10, 0.0, 0.2775), (81, 263, 0.2553, 0.3662)],
)
def test_wilsons_interval(k, n, low, high):
    """The last is Newcombe's example (1998, Statistics in Medicine 17:857, table I)."""
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(1, 0), (5, 4), (-1, 4)])
def test_what_is_no_share_is_refused(k, n):
    with pytest.raises(ValueError, match="no share"):
        wilson(k, n)
