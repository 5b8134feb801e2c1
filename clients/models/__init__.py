"""What the practice knows of people, and what it has told them."""

from clients.models.audit import AuditEntry, AuditSeal
from clients.models.keys import DataKey, keyring
from clients.models.messages import Message
from clients.models.people import (
    BlindIndex,
    Case,
    Couple,
    CoupleMember,
    Member,
    Person,
    SafeContact,
)
from clients.models.sealed import SealedText

__all__ = [
    "AuditEntry",
    "AuditSeal",
    "BlindIndex",
    "Case",
    "Couple",
    "CoupleMember",
    "DataKey",
    "Member",
    "Message",
    "Person",
    "SafeContact",
    "SealedText",
    "keyring",
]
