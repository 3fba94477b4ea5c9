"""The arguments of the published models, and of a tiny one for tests and demos.

Source: the config.json of NeoQuasar/Kronos-{mini,small,base} and NeoQuasar/Kronos-Tokenizer-{2k,base}.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

Size: TypeAlias = Literal["tiny", "mini", "small", "base"]


@dataclass(frozen=True, kw_only=True)
class TokenizerArguments:
    """What a published tokenizer's config.json holds."""

    d_in: int = 6
    d_model: int = 256
    n_heads: int = 4
    ff_dim: int = 512
    n_enc_layers: int = 4
    n_dec_layers: int = 4
    ffn_dropout_p: float = 0.0
    attn_dropout_p: float = 0.0
    resid_dropout_p: float = 0.0
    s1_bits: int = 10
    s2_bits: int = 10
    beta: float = 0.05
    gamma0: float = 1.0
    gamma: float = 1.1
    zeta: float = 0.05
    group_size: int = 4


@dataclass(frozen=True, kw_only=True)
class PredictorArguments:
    """What a published predictor's config.json holds."""

    s1_bits: int = 10
    s2_bits: int = 10
    n_layers: int
    d_model: int
    n_heads: int
    ff_dim: int
    ffn_dropout_p: float
    attn_dropout_p: float
    resid_dropout_p: float
    token_dropout_p: float
    learn_te: bool = True


class Preset(NamedTuple):
    """A tokenizer and a predictor that belong together."""

    tokenizer: TokenizerArguments
    predictor: PredictorArguments
    max_context: int  # bars
    hub: tuple[str, str] | None  # ids of tokenizer and predictor


PRESETS: dict[Size, Preset] = {
    "tiny": Preset(
        TokenizerArguments(d_model=32, n_heads=2, ff_dim=64, n_enc_layers=2, n_dec_layers=2, s1_bits=6, s2_bits=6),
        PredictorArguments(
            s1_bits=6, s2_bits=6, n_layers=2, d_model=64, n_heads=2, ff_dim=128,
            ffn_dropout_p=0.0, attn_dropout_p=0.0, resid_dropout_p=0.0, token_dropout_p=0.0,
        ),
        512,
        None,
    ),
    "mini": Preset(
        TokenizerArguments(group_size=5),
        PredictorArguments(
            n_layers=4, d_model=256, n_heads=4, ff_dim=512,
            ffn_dropout_p=0.2, attn_dropout_p=0.0, resid_dropout_p=0.2, token_dropout_p=0.0,
        ),
        2048,
        ("NeoQuasar/Kronos-Tokenizer-2k", "NeoQuasar/Kronos-mini"),
    ),
    "small": Preset(
        TokenizerArguments(),
        PredictorArguments(
            n_layers=8, d_model=512, n_heads=8, ff_dim=1024,
            ffn_dropout_p=0.25, attn_dropout_p=0.1, resid_dropout_p=0.25, token_dropout_p=0.1,
        ),
        512,
        ("NeoQuasar/Kronos-Tokenizer-base", "NeoQuasar/Kronos-small"),
    ),
    "base": Preset(
        TokenizerArguments(),
        PredictorArguments(
            n_layers=12, d_model=832, n_heads=16, ff_dim=2048,
            ffn_dropout_p=0.2, attn_dropout_p=0.0, resid_dropout_p=0.2, token_dropout_p=0.0,
        ),
        512,
        ("NeoQuasar/Kronos-Tokenizer-base", "NeoQuasar/Kronos-base"),
    ),
}  # fmt: skip


def context_of(arguments: PredictorArguments) -> int:
    """Bars that a predictor of this shape was made to see; 512 where the shape is not a published one."""
    return next((preset.max_context for preset in PRESETS.values() if preset.predictor == arguments), 512)
