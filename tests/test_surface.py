"""The public Python surface: a name more or less is a decision, made here."""

import kronosforge


def test_the_public_names_are_these() -> None:
    assert sorted(kronosforge.__all__) == ["ModelConfig", "PreparedDataset", "load_config", "prepare"]


def test_each_public_name_can_be_had() -> None:
    assert all(getattr(kronosforge, name) for name in kronosforge.__all__)
