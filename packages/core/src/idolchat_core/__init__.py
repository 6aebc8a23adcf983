"""Contracts, models and the turn engine of idolchat.

What a plugin needs is here. Search queries are in ``idolchat_core.search``, conformance kits in
``idolchat_core.testing``; every other module is internal and may change with any release.
"""

from idolchat_core.characters.contract import CharacterDirectory, DirectoryEntry, DirectoryPage
from idolchat_core.coordination.broker_bus import BrokerBus, BrokerLost, Publish
from idolchat_core.coordination.contract import (
    CHOSEN_S,
    AlreadyEntered,
    Bus,
    BusState,
    Coordination,
    Counters,
    Instance,
    Membership,
    MembershipCounts,
    NewMessages,
    Occupant,
    OnBusy,
    SharedStorage,
    TurnStore,
    TurnTakenOver,
    UnfinishedTurn,
)
from idolchat_core.coordination.process import process_address
from idolchat_core.errors import (
    ConfigurationError,
    ContextTooLong,
    ConversationBusy,
    ConversationDamaged,
    ConversationExists,
    ConversationNotFound,
    DocumentRefused,
    IdolchatError,
    InvalidRequest,
    ModelNotFound,
    NotAuthorized,
    PaymentRequired,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QueueFull,
    RateLimited,
    ReplyCut,
    RequestRefused,
    RevisionMismatch,
    StorageConflict,
    StorageError,
    StorageUnavailable,
)
from idolchat_core.events.events import TurnEnded, TurnStarted, TurnState
from idolchat_core.events.live_turn import LiveTurn
from idolchat_core.llm.contract import CompletionRequest, Delta, Finished, LLMProvider, ModelInfo, OnDeltas
from idolchat_core.llm.token_estimator import text_size
from idolchat_core.models import (
    Conversation,
    ConversationList,
    ConversationSummary,
    Message,
    Page,
    StoredId,
    Usage,
    id_text,
    new_id,
    utc_now,
)
from idolchat_core.plugins.hookspecs import hookimpl
from idolchat_core.plugins.registry import NamespaceRegistry, Registry, ServiceRegistry, StorageRegistry
from idolchat_core.plugins.services import Services
from idolchat_core.prompt.parts import PromptPart, Slot
from idolchat_core.prompt.sources import HistoryWindow, PromptSource, PromptTurn
from idolchat_core.rate_limits import LeakyBuckets
from idolchat_core.settings import CoreSettings, PackageSettings, read_settings
from idolchat_core.spending.background import BackgroundCompletions
from idolchat_core.spending.metered_call import MeteredCall
from idolchat_core.storage import document, pagination
from idolchat_core.storage.changes import Change, ChangeKind, ChangeObserver, StoredChange, StoredChanges
from idolchat_core.storage.contract import Storage, check_record_name, one_shot
from idolchat_core.storage.expectations import check_count, check_revision, is_repeated
from idolchat_core.storage.fallbacks import hits_in
from idolchat_core.storage.filters import EVERYTHING, ConversationFilter
from idolchat_core.storage.id_set import IdSet
from idolchat_core.storage.integrity import Issue, issues_of, repaired
from idolchat_core.storage.key_value import KeyValueStorage
from idolchat_core.storage.maintenance import Leftover, Repair, VerificationResult, keep_aside, repair_of
from idolchat_core.storage.memory_index import (
    SESSION_GAP_S,
    KnownConversation,
    MemoryIndex,
    MemoryMessage,
    MemoryRow,
    MemoryScope,
    MemoryStats,
    MessageTraits,
    Posting,
    ScopeReader,
    ScopeStatistics,
    Speaker,
    TextAnalysis,
    Unencoded,
)
from idolchat_core.storage.record_log import namespaces_among
from idolchat_core.storage.records import NO_RECORD, Record, check_record_version, names_after, record_version
from idolchat_core.storage.stats import StorageStats
from idolchat_core.storage.user_data import UserData, UserFile
from idolchat_core.turns.ephemeral import EphemeralRequest
from idolchat_core.turns.plan import After
from idolchat_core.turns.prompt_records import forget_explanations
from idolchat_core.turns.request import NewMessage, TurnOptions, TurnRequest

__all__ = [
    "CHOSEN_S",
    "EVERYTHING",
    "NO_RECORD",
    "SESSION_GAP_S",
    "After",
    "AlreadyEntered",
    "BackgroundCompletions",
    "BrokerBus",
    "BrokerLost",
    "Bus",
    "BusState",
    "Change",
    "ChangeKind",
    "ChangeObserver",
    "CharacterDirectory",
    "CompletionRequest",
    "ConfigurationError",
    "ContextTooLong",
    "Conversation",
    "ConversationBusy",
    "ConversationDamaged",
    "ConversationExists",
    "ConversationFilter",
    "ConversationList",
    "ConversationNotFound",
    "ConversationSummary",
    "Coordination",
    "CoreSettings",
    "Counters",
    "Delta",
    "DirectoryEntry",
    "DirectoryPage",
    "DocumentRefused",
    "EphemeralRequest",
    "Finished",
    "HistoryWindow",
    "IdSet",
    "IdolchatError",
    "Instance",
    "InvalidRequest",
    "Issue",
    "KeyValueStorage",
    "KnownConversation",
    "LLMProvider",
    "LeakyBuckets",
    "Leftover",
    "LiveTurn",
    "Membership",
    "MembershipCounts",
    "MemoryIndex",
    "MemoryMessage",
    "MemoryRow",
    "MemoryScope",
    "MemoryStats",
    "Message",
    "MessageTraits",
    "MeteredCall",
    "ModelInfo",
    "ModelNotFound",
    "NamespaceRegistry",
    "NewMessage",
    "NewMessages",
    "NotAuthorized",
    "Occupant",
    "OnBusy",
    "OnDeltas",
    "PackageSettings",
    "Page",
    "PaymentRequired",
    "Posting",
    "PromptPart",
    "PromptSource",
    "PromptTurn",
    "ProviderError",
    "ProviderTimeout",
    "ProviderUnavailable",
    "Publish",
    "QueueFull",
    "RateLimited",
    "Record",
    "Registry",
    "Repair",
    "ReplyCut",
    "RequestRefused",
    "RevisionMismatch",
    "ScopeReader",
    "ScopeStatistics",
    "ServiceRegistry",
    "Services",
    "SharedStorage",
    "Slot",
    "Speaker",
    "Storage",
    "StorageConflict",
    "StorageError",
    "StorageRegistry",
    "StorageStats",
    "StorageUnavailable",
    "StoredChange",
    "StoredChanges",
    "StoredId",
    "TextAnalysis",
    "TurnEnded",
    "TurnOptions",
    "TurnRequest",
    "TurnStarted",
    "TurnState",
    "TurnStore",
    "TurnTakenOver",
    "Unencoded",
    "UnfinishedTurn",
    "Usage",
    "UserData",
    "UserFile",
    "VerificationResult",
    "check_count",
    "check_record_name",
    "check_record_version",
    "check_revision",
    "document",
    "forget_explanations",
    "hits_in",
    "hookimpl",
    "id_text",
    "is_repeated",
    "issues_of",
    "keep_aside",
    "names_after",
    "namespaces_among",
    "new_id",
    "one_shot",
    "pagination",
    "process_address",
    "read_settings",
    "record_version",
    "repair_of",
    "repaired",
    "text_size",
    "utc_now",
]
