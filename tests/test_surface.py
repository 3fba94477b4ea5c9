"""The public Python surface: a name more or less is a decision, made here."""

import kronosforge


def test_the_public_names_are_these() -> None:
    assert sorted(kronosforge.__all__) == [
        "KronosPredictor",
        "KronosTokenizer",
        "ModelConfig",
        "PreparedDataset",
        "load_config",
        "prepare",
        "train",
    ]


def test_each_public_name_can_be_had() -> None:
    assert all(getattr(kronosforge, name) for name in kronosforge.__all__)


def test_train_is_a_function_also_after_its_package_was_imported() -> None:
    import kronosforge.train.loop

    assert callable(kronosforge.train)
