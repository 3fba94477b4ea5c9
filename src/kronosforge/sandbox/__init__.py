"""An exchange on this machine that speaks OKX v5: for the demo, for tests, and for work without a network."""

from kronosforge.sandbox.auth import Credentials
from kronosforge.sandbox.exchange import Clock, Sandbox, Served
from kronosforge.sandbox.faults import Faults
from kronosforge.sandbox.instruments import Instrument, instrument
from kronosforge.sandbox.market import Synthetic
from kronosforge.sandbox.replay import Replay
from kronosforge.sandbox.server import Server, build, main, running, serve, serve_forever, serving

__all__ = [
    "Clock", "Credentials", "Faults", "Instrument", "Replay", "Sandbox", "Served", "Server", "Synthetic",
    "build", "instrument", "main", "running", "serve", "serve_forever", "serving",
]  # fmt: skip
