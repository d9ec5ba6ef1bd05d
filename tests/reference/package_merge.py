"""Length-limited Huffman codes by package-merge (Larmore and Hirschberg 1990), with every package spelled out."""

from collections import Counter


def cheapest_lengths(weights: dict[int, int], limit: int) -> dict[int, int]:
    """Code length of each symbol, at most `limit`, such that the sum of weight times length is least.

    As JPEG demands (T.81 annex C), the code of all ones stays free.
    """
    reserved = -1
    leaves = sorted((weight, (symbol,)) for symbol, weight in {**weights, reserved: 0}.items())
    coins: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(limit):
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(coins[::2], coins[1::2], strict=False)]
        coins = sorted(leaves + packages)
    chosen = coins[: 2 * len(leaves) - 2]
    lengths = Counter(symbol for _, symbols in chosen for symbol in symbols)
    return {symbol: lengths[symbol] for symbol in weights}


def cost(weights: dict[int, int], lengths: dict[int, int]) -> int:
    """The number of bits that the codes of all symbols take."""
    return sum(weight * lengths[symbol] for symbol, weight in weights.items())
