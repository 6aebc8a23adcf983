"""Character cards in and out: V1, V2 and V3, as JSON, PNG, APNG, CHARX and WebP."""

from idolchat_characters.cards.assets import EmbeddedAsset, embedded_assets, main_icon
from idolchat_characters.cards.container import CardFormat
from idolchat_characters.cards.document import CardVersion
from idolchat_characters.cards.limits import CardLimits
from idolchat_characters.cards.media_types import RASTER_TYPES, media_type_of
from idolchat_characters.cards.reading import CardReading, read_card
from idolchat_characters.cards.report import CardReport, validate
from idolchat_characters.cards.writing import is_edited, write_card

__all__ = [
    "RASTER_TYPES",
    "CardFormat",
    "CardLimits",
    "CardReading",
    "CardReport",
    "CardVersion",
    "EmbeddedAsset",
    "embedded_assets",
    "is_edited",
    "main_icon",
    "media_type_of",
    "read_card",
    "validate",
    "write_card",
]
