"""The mechanisms of the protocol, each of which can be taken away."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COMMIT_BEFORE_ANSWER: Final = "commit before the answer"
IDEMPOTENCY_KEY: Final = "idempotency key"
STATE_OF_SUCCESS: Final = "state check of a success"
ROUND_OF_SUCCESS: Final = "round check of a success"
LOCK_OF_SUCCESS: Final = "lock of a success"
ONE_TRANSACTION: Final = "one transaction for an end"
COMPARISON: Final = "comparison in a failure"
LAST_ATTEMPT: Final = "end after the last attempt"

SEND_FIRST: Final = "effect before acknowledgement in the fetch worker"
STORE_FIRST: Final = "effect before acknowledgement in the process worker"
LEASE: Final = "lease of an entry"
RECLAIMING: Final = "reclaiming"
LIMIT: Final = "limit of deliveries"
GROUP: Final = "group from the first entry"
DELETION: Final = "deletion with the acknowledgement"
INDEX: Final = "index of waiting attempts"
PRUNING: Final = "pruning of the index"
RECONCILER: Final = "reconciler"
COMMIT_BEFORE_SENDING: Final = "commit before sending"
LOCK_OF_CLAIM: Final = "lock of a claim"
COUNTING: Final = "counting of lost attempts"
TAKING_BACK: Final = "guard of taking back"
NEWEST: Final = "attempt check of a failure"
NUMBERED_LETTERS: Final = "attempt of a dead letter"

MECHANISMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        COMMIT_BEFORE_ANSWER: "a request is answered with 202 when its job is committed",
        IDEMPOTENCY_KEY: "a repeated key finds the first job",
        STATE_OF_SUCCESS: "a success ends a queued job only",
        ROUND_OF_SUCCESS: "a batch of an earlier round ends no later one",
        LOCK_OF_SUCCESS: "the row is locked from its check to its end",
        ONE_TRANSACTION: "summary and end are committed together",
        COMPARISON: "a failure is stored only where the row is as it was judged",
        LAST_ATTEMPT: "a job whose last attempt is lost fails",
        SEND_FIRST: "a request is acknowledged when its outcome is sent",
        STORE_FIRST: "an outcome is acknowledged when it is stored",
        LEASE: "an entry is taken from a silent worker only",
        RECLAIMING: "an entry of a silent worker goes to another one",
        LIMIT: "an entry that was delivered too often is given up",
        GROUP: "a group that is made again reads what was sent before",
        DELETION: "an entry that is done leaves its stream",
        INDEX: "sending records that an attempt waits",
        PRUNING: "an attempt older than all entries waits no more",
        RECONCILER: "queued jobs are looked at again and again",
        COMMIT_BEFORE_SENDING: "an attempt is counted before its message is sent",
        LOCK_OF_CLAIM: "one reconciler at a time decides about a job",
        COUNTING: "a lost message is followed by the next attempt",
        TAKING_BACK: "only the newest attempt can be taken back",
        NEWEST: "a failure counts for the newest attempt only",
        NUMBERED_LETTERS: "a message that is given up counts for its own attempt",
    }
)
"""Each mechanism with its effect."""
