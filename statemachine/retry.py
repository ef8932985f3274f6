"""How often and how long apart a step is attempted: exponential backoff with a cap and full-range jitter.

Pure: the random number is an argument, so the same failure always gives the same delay.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Retry:
    """A retry policy.

    Attributes:
        attempts: How many attempts in all, the first included; at least 1.
        delay: Seconds before the second attempt.
        factor: What each further delay is multiplied by; at least 1.
        cap: The longest delay, in seconds.
        jitter: Share of the delay that is drawn at random, 0 to 1: a delay d becomes one between d * (1 - jitter) and
            d.
        never: Exception types after which no further attempt is made.

    Raises:
        ValueError: A number is outside its range.
    """

    attempts: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    delay: float = attrs.field(default=1.0, kw_only=True, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=2.0, kw_only=True, validator=attrs.validators.ge(1))
    cap: float = attrs.field(default=300.0, kw_only=True, validator=attrs.validators.ge(0))
    jitter: float = attrs.field(
        default=0.5, kw_only=True, validator=attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(1))
    )
    never: tuple[type[BaseException], ...] = attrs.field(default=(), kw_only=True)

    def wait(self, attempt: int, chance: float) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1) has failed; None when attempts are used up.

        Args:
            attempt: The attempt that failed, counted from 1.
            chance: A random number from 0 to 1, drawn by the host.
        """
        if attempt >= self.attempts:
            return None
        try:
            delay = min(self.cap, self.delay * self.factor ** (attempt - 1))
        except OverflowError:  # larger than any number, hence than the cap
            delay = self.cap if self.delay else 0.0
        return delay * (1 - self.jitter * chance)
