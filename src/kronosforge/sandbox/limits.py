"""OKX's request limits: a sliding window per endpoint; requests over the limit are rejected, not queued."""

from collections import defaultdict, deque

# Requests and seconds, from OKX's public documentation of 2025-11-08.
LIMITS = {
    "/api/v5/market/candles": (40, 2.0),
    "/api/v5/market/history-candles": (20, 2.0),
    "/api/v5/public/instruments": (20, 2.0),
    "/api/v5/public/time": (10, 2.0),
    "/api/v5/account/config": (5, 2.0),
    "/api/v5/system/status": (1, 5.0),
}


class Window:
    """The recently admitted requests per key."""

    def __init__(self) -> None:
        self._admitted: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, path: str, key: str, now: float) -> bool:
        """Count a request to `path` at `now` (seconds, monotonic) and return True, or False if the limit of `key` is reached."""
        if path not in LIMITS:
            return True
        most, seconds = LIMITS[path]
        admitted = self._admitted[key]
        while admitted and admitted[0] <= now - seconds:
            admitted.popleft()
        if len(admitted) >= most:
            return False
        admitted.append(now)
        return True
