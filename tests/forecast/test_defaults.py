"""One default for each setting of sampling: the config's."""

import inspect
from collections.abc import Iterator
from typing import Any

import kronosforge
from kronosforge.config import EvaluateConfig, ForecastConfig, SamplingConfig
from kronosforge.forecast.sampling import Sampler

DEFAULTS = SamplingConfig().model_dump()


def signatures() -> Iterator[tuple[str, inspect.Signature]]:
    """Of every public function, class and method."""
    for name in kronosforge.__all__:
        target = getattr(kronosforge, name)
        yield name, inspect.signature(target)
        if inspect.isclass(target):
            for method, function in inspect.getmembers(target, lambda m: inspect.isfunction(m) or inspect.ismethod(m)):
                if not method.startswith("_") and function.__module__.startswith("kronosforge."):
                    yield f"{name}.{method}", inspect.signature(function)


def test_public_signatures_have_the_defaults_of_the_config() -> None:
    given: dict[str, dict[str, Any]] = {
        name: {
            key: p.default for key, p in signature.parameters.items() if key in DEFAULTS and p.default is not p.empty
        }
        for name, signature in signatures()
    }
    assert given["Forecaster.forecast"].keys() == DEFAULTS.keys()
    assert {name: values for name, values in given.items() if values != {key: DEFAULTS[key] for key in values}} == {}


def test_the_sampler_and_every_section_have_them_too() -> None:
    sampler = Sampler()
    assert {key: getattr(sampler, key) for key in ("temperature", "top_k", "top_p")} == {
        key: DEFAULTS[key] for key in ("temperature", "top_k", "top_p")
    }
    for section in (ForecastConfig(), EvaluateConfig()):
        assert {key: value for key, value in section.model_dump().items() if key in DEFAULTS} == DEFAULTS
