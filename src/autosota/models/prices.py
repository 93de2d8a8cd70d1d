"""Prices of models, from the price list that comes with the provider library (read offline), or as the user states them.

A price that nobody states is None, never a guess. Local providers have no list price: whether they cost anything is the user's
to say.
"""

from __future__ import annotations

from autosota.models.endpoints import Endpoint

_MILLION = 1e6


def cost(endpoint: Endpoint, input_tokens: int, output_tokens: int, *, cached: int = 0, written: int = 0) -> float | None:
    """US dollars for a call. `cached`: input tokens read from the provider's cache; `written`: those it had to write."""
    if endpoint.price is not None:
        return (input_tokens * endpoint.price[0] + output_tokens * endpoint.price[1]) / _MILLION
    if endpoint.price_provider is None:
        return None
    from genai_prices import Usage, calc_price

    usage = Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=min(cached, input_tokens),
        cache_write_tokens=min(written, max(0, input_tokens - cached)),
    )  # fmt: skip
    try:
        price = calc_price(usage, endpoint.model, provider_id=endpoint.price_provider)
    except (LookupError, ValueError):
        return None
    return float(price.total_price)
