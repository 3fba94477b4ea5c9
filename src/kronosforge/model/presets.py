"""The arguments of the published models, and of a tiny one for tests and demos.

Source: the config.json of NeoQuasar/Kronos-{mini,small,base} and NeoQuasar/Kronos-Tokenizer-{2k,base}.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field

from kronosforge.core.errors import ModelError
from kronosforge.core.i18n import _

Size: TypeAlias = Literal["tiny", "mini", "small", "base"]


# Far beyond what is published, and small enough not to fill the memory of a machine that reads a damaged file.
Width = Annotated[int, Field(ge=1, le=1 << 14)]
Count = Annotated[int, Field(ge=1, le=1 << 8)]
Bits = Annotated[int, Field(ge=1, le=16)]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class TokenizerArguments:
    """What a published tokenizer's config.json holds."""

    d_in: Width = 6
    d_model: Width = 256
    n_heads: Count = 4
    ff_dim: Width = 512
    n_enc_layers: Count = 4
    n_dec_layers: Count = 4
    ffn_dropout_p: Share = 0.0
    attn_dropout_p: Share = 0.0
    resid_dropout_p: Share = 0.0
    s1_bits: Bits = 10
    s2_bits: Bits = 10
    beta: float = 0.05
    gamma0: float = 1.0
    gamma: float = 1.1
    zeta: float = 0.05
    group_size: Count = 4


@dataclass(frozen=True, kw_only=True)
class PredictorArguments:
    """What a published predictor's config.json holds."""

    s1_bits: Bits = 10
    s2_bits: Bits = 10
    n_layers: Count
    d_model: Width
    n_heads: Count
    ff_dim: Width
    ffn_dropout_p: Share
    attn_dropout_p: Share
    resid_dropout_p: Share
    token_dropout_p: Share
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


def refuse_other_publication(tokenizer: str, predictor: str) -> None:
    """Raise ModelError where the hub ids are of a tokenizer and a predictor that were published with others."""
    pairs = {preset.hub[1]: preset.hub[0] for preset in PRESETS.values() if preset.hub}
    if tokenizer in pairs.values() and pairs.get(predictor, tokenizer) != tokenizer:
        raise ModelError(
            _(
                "{predictor} was published with {pairs}, not with {tokenizer}; use two that belong together",
                predictor=predictor,
                pairs=pairs[predictor],
                tokenizer=tokenizer,
            )
        )


def refuse_mismatch(tokenizer: TokenizerArguments, predictor: PredictorArguments) -> None:
    """Raise ModelError where the two cannot belong together.

    They make and read ids of other widths, or each has the shape of a published model and the two were published with
    others: Kronos-mini reads the ids of Tokenizer-2k, small and base those of Tokenizer-base.
    """
    made, read = (tokenizer.s1_bits, tokenizer.s2_bits), (predictor.s1_bits, predictor.s2_bits)
    if made != read:
        raise ModelError(
            _(
                "The tokenizer makes ids of {made} + {made2} bits and the predictor reads {read} + "
                "{read2}; use two that belong together",
                made=made[0],
                made2=made[1],
                read=read[0],
                read2=read[1],
            )
        )
    published = {preset.tokenizer: preset.hub[0] for preset in PRESETS.values() if preset.hub}
    own = next((preset for preset in PRESETS.values() if preset.hub and preset.predictor == predictor), None)
    if own and own.hub and tokenizer in published and tokenizer != own.tokenizer:
        raise ModelError(
            _(
                "The tokenizer has the shape of {published}, and a predictor of the shape of {hub} reads "
                "the ids of {hub2}; use two that belong together",
                published=published[tokenizer],
                hub=own.hub[1],
                hub2=own.hub[0],
            )
        )


def context_of(arguments: PredictorArguments) -> int:
    """Bars that a predictor of this shape was made to see; 512 where the shape is not a published one."""
    return next((preset.max_context for preset in PRESETS.values() if preset.predictor == arguments), 512)
