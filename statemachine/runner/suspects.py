"""Which items of a visit may have been what its process died of, and what becomes of them."""

from __future__ import annotations

SUSPECT = 2
"""Deaths after which an item is done with no other beside it."""
