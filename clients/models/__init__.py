"""What the practice knows of people, and what it has told them."""

from clients.models.access import (
    ClientPasskey,
    ClientPin,
    ClientSession,
    DataRequest,
    Erasure,
    Notice,
    SignInLink,
)
from clients.models.audit import AuditEntry, AuditSeal
from clients.models.items import Item, ItemQuerySet
from clients.models.keys import DataKey, keyring
from clients.models.messages import Message
from clients.models.people import (
    BlindIndex,
    BreakGlass,
    CareRelation,
    Case,
    Couple,
    CoupleMember,
    Member,
    Person,
    SafeContact,
)
from clients.models.sealed import SealedText, shown

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "BlindIndex",
    "BreakGlass",
    "CareRelation",
    "Case",
    "ClientPasskey",
    "ClientPin",
    "ClientSession",
    "Couple",
    "CoupleMember",
    "DataKey",
    "DataRequest",
    "Erasure",
    "Item",
    "ItemQuerySet",
    "Member",
    "Message",
    "Notice",
    "Person",
    "SafeContact",
    "SealedText",
    "SignInLink",
    "keyring",
    "shown",
]
