"""`kronosforge sandbox`: an exchange on this machine."""

from argparse import Namespace
from pathlib import Path

from kronosforge.sandbox import main


def run(arguments: Namespace) -> int:
    """Serve until interrupted."""
    replay = Path(arguments.replay) if arguments.replay else None
    main(
        port=arguments.port,
        replay=replay,
        seed=arguments.seed,
        clock=arguments.clock,
        faults=arguments.faults,
        edge=arguments.edge,
    )
    return 0
