"""What the document cannot say of a request that is to be accepted, for schemathesis."""

import os
import uuid

import schemathesis
from hypothesis import strategies as st

# Formats of our own.
schemathesis.openapi.format("emoji", st.sampled_from(["👍", "❤️", "👩‍👩‍👧‍👦", "1️⃣", "✅"]))
schemathesis.openapi.format("password", st.from_regex(r"[a-z]{6} [a-z]{6} [0-9]{4}", fullmatch=True))

# Somebody who exists, besides the caller.
BEN = os.environ["CHAT_TEST_USER"]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Turns what fits the schema into what the words of the document ask for too; what is meant to be wrong stays wrong."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    operation = case.operation.definition.raw.get("operationId")
    query = case.query or {}
    # A cursor is one of the page before, and of no other list.
    query.pop("cursor", None)
    # At most one place in the history.
    for place in [it for it in ("before_seq", "after_seq", "around_seq") if it in query][1:]:
        del query[place]
    # A search has at least one word.
    if "q" in query:
        query["q"] = "soup"
    # So has a name that begins somehow.
    if "query" in query:
        query["query"] = "an"
    body = case.body if isinstance(case.body, dict) else {}
    # Whole numbers are written without a fraction.
    if "known" in body:
        body["known"] = [[row[0], int(row[1]), int(row[2])] for row in body["known"]]
    if "seq" in body:
        body["seq"] = int(body["seq"])
    # Whoever is named exists.
    if "member_ids" in body:
        body["member_ids"] = [BEN for _ in body["member_ids"]][:1]
    if "user_id" in (case.path_parameters or {}):
        case.path_parameters["user_id"] = BEN
    # Whoever signs out cannot go on.
    if operation == "end_sign_in":
        case.path_parameters["id"] = str(uuid.uuid4())
    if "reply_to" in body:
        body["reply_to"] = None
    # A name of the message is in the body or in a header, and belongs to one message.
    if operation == "send_message":
        (case.headers or {}).pop("Idempotency-Key", None)
        body["client_id"] = str(uuid.uuid4())
    # None of the commonest.
    if "password" in body:
        body["password"] = "correct horse battery"
