"""The id of the call being served."""

from contextvars import ContextVar

REQUEST_ID_KEY = "x-request-id"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The caller's x-request-id, else one made here; set by the server, "" outside of a call."""
