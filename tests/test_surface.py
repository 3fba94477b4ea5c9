"""The public Python surface: a name more or less is a decision, made here."""

import inspect

import kronosforge


def test_the_public_names_are_these() -> None:
    assert sorted(kronosforge.__all__) == [
        "Forecast",
        "Forecaster",
        "KronosPredictor",
        "KronosTokenizer",
        "ModelConfig",
        "PreparedDataset",
        "evaluate",
        "load_config",
        "prepare",
        "train",
        "walk_forward",
    ]


def test_each_public_name_can_be_had() -> None:
    assert all(getattr(kronosforge, name) for name in kronosforge.__all__)


def test_functions_named_as_their_package_can_be_called_after_it_was_imported() -> None:
    import kronosforge.evaluate.gate
    import kronosforge.train.loop

    assert inspect.isfunction(kronosforge.train)
    assert inspect.isfunction(kronosforge.evaluate)


def test_dir_lists_the_public_names() -> None:
    assert set(kronosforge.__all__) <= set(dir(kronosforge))
