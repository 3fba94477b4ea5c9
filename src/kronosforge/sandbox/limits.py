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
        self._passed: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, path: str, key: str, now: float) -> bool:
        """True, and counted, where `path` has room for one more at `now` (seconds, monotonic); `key` is who shares it."""
        if path not in LIMITS:
            return True
        most, seconds = LIMITS[path]
        passed = self._passed[key]
        while passed and passed[0] <= now - seconds:
            passed.popleft()
        if len(passed) >= most:
            return False
        passed.append(now)
        return True
