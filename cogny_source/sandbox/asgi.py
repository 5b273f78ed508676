"""The ASGI application: it carries requests to the API or the control routes, and answers back, whole or broken."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Api, Request
from cogny_source.sandbox.control import CONTROL_ROOT, Control
from cogny_source.sandbox.faults import draw_stall

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "sandbox.transport"

_DRIBBLES = 100
_LINGER_NOT = struct.pack("ii", 1, 0)


class SandboxApp:
    """An ASGI application. To break connections it needs their transport in the scope, as `sandbox.transport`."""

    def __init__(self, api: Api) -> None:
        """Serve an API with its control routes."""
        self._api = api
        self._control = Control(api)
        self._asked = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = await _read_request(scope, receive)
        if request.path.startswith(CONTROL_ROOT + "/"):
            await _send_whole(self._control.answer(request), send)
            return
        self._asked += 1
        late_seconds = draw_stall(self._api.switches, self._asked)
        if late_seconds:
            await asyncio.sleep(late_seconds)
        answer = self._api.answer(request)
        if answer.pieces is not None:
            await _send_pieces(answer, scope[TRANSPORT], receive, send)
        elif answer.fault in ("reset", "lost_reset"):
            await _reset(scope[TRANSPORT], receive)
        elif answer.fault in ("cut_short", "lost_cut"):
            await _send_part(answer, scope[TRANSPORT], receive, send)
        elif answer.fault == "dribble":
            await _send_slowly(answer, self._api.switches.stall_seconds, send)
        else:
            await _send_whole(answer, send)


async def _read_request(scope: Message, receive: Receive) -> Request:
    body = b""
    if scope["method"] in ("POST", "PUT", "PATCH"):
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    params = dict(parse_qsl(scope["query_string"].decode(errors="replace"), keep_blank_values=True))
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], params, headers, body)


async def _send_whole(answer: Answer, send: Send) -> None:
    await send(_start(answer))
    await send({"type": "http.response.body", "body": answer.body})


async def _send_part(answer: Answer, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    """Send half of the body and hang up."""
    await send(_start(answer))
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
    transport.close()
    await _until_disconnected(receive)


async def _send_pieces(answer: Answer, transport: asyncio.Transport, receive: Receive, send: Send) -> None:
    """Send each piece when its time has come; hang up where the answer says so, or the reader has."""
    assert answer.pieces is not None
    await send(_start(answer))
    for piece in answer.pieces:
        await asyncio.sleep(piece.after_seconds)
        if piece.data is None:
            transport.close()
            await _until_disconnected(receive)
            return
        if transport.is_closing():
            return
        if piece.data:
            await send({"type": "http.response.body", "body": piece.data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_slowly(answer: Answer, seconds: float, send: Send) -> None:
    """Send the body in small pieces, spread over the time."""
    await send(_start(answer))
    size = ceil(len(answer.body) / _DRIBBLES) or 1
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(seconds / _DRIBBLES)
        await send({"type": "http.response.body", "body": answer.body[start : start + size], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _reset(transport: asyncio.Transport, receive: Receive) -> None:
    """Drop the connection so that the peer sees RST, not the end of a stream."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
    transport.abort()
    await _until_disconnected(receive)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _start(answer: Answer) -> Message:
    length = {} if answer.pieces is not None else {"Content-Length": str(len(answer.body))}
    headers = {"Content-Type": answer.content_type, **length, **answer.headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": encoded}
