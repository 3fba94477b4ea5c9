"""What torch's libraries are told before they compute on a CPU."""

import os

SETTINGS = {
    # OpenMP's threads stay awake for about a fifth of a millisecond after a product, then sleep. Awake for long, they take
    # the cores from other programs on the machine, and a step took up to twenty times as long; asleep at once, each product
    # waits 0.15 ms for its threads, and a forecast's step has some thirty. GNU's library, the one in torch for Linux, takes
    # the count before the policy. Source: https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "10000",
    # Intel's library promises equal bytes for equal runs in this mode; and where nothing is set, products of a few hundred
    # rows or fewer take a third longer on AMD's processors (docs/decisions.md). Source: oneMKL's developer guide,
    # Conditional Numerical Reproducibility.
    "MKL_CBWR": "AUTO",
}


def settle() -> None:
    """Set what SETTINGS says in the environment, but for what the user has set. To be called before torch is loaded;
    afterwards MKL_CBWR alone takes effect, until the first product."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
