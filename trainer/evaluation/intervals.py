"""95 % confidence intervals of shares, and of the difference of two shares over the same frames."""

import math

Z95 = 1.959964  # two-sided 95 % of the normal distribution


def wilson_interval(right: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927): sound near 0 and 1 as well."""
    share = right / n
    centre = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def paired_interval(gained: int, lost: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of the difference of two shares over the same n frames (Bonett and Price 2012).

    Args:
        gained, lost: frames that only the second, and only the first, was right about.
    """
    more, less = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = Z95 * math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    return max(-1.0, more - less - half), min(1.0, more - less + half)


def mcnemar(gained: int, lost: int) -> float:
    """Probability of a difference at least so large if neither were better: McNemar's test, exact and two-sided."""
    n, fewer = gained + lost, min(gained, lost)
    tail = sum(math.exp(_log_binomial(n, k) - n * math.log(2)) for k in range(fewer + 1))
    return min(1.0, 2 * tail)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
