"""A WSGI application (PEP 3333) as wasi:http/incoming-handler.

The module that holds the application was imported when the component was built; an instance answers one request.
"""

import io
import os
import random
import sys
from urllib.parse import unquote

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports import environment
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    IncomingRequest,
    Method_Other,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
    Scheme_Https,
)

_LARGEST_READ = 64 * 1024


def handler(application):
    """The class that the component exports."""

    class IncomingHandler(exports.IncomingHandler):
        def handle(self, request, response_out):
            # What is in there was the build's.
            os.environ.clear()
            os.environ.update(environment.get_environment())
            # Its state was made at build time: without this every request would draw the same.
            random.seed()
            answer(application, request, response_out)

    return IncomingHandler


def answer(application, request, response_out):
    body = _Body(request)
    response = _Response(response_out)
    result = None
    try:
        result = application(_environ(request, body), response.start)
        for piece in result:
            if piece:
                response.write(piece)
        response.finish()
    except Exception:
        sys.excepthook(*sys.exc_info())
        response.fail()
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
        body.let_go()


def _environ(request: IncomingRequest, body: io.RawIOBase) -> dict:
    path, _, query = (request.path_with_query() or "/").partition("?")
    host, _, port = (request.authority() or "localhost").partition(":")
    https = isinstance(request.scheme(), Scheme_Https)
    environ = {
        "REQUEST_METHOD": _method(request),
        "SCRIPT_NAME": "",
        # WSGI's texts hold bytes, one a character.
        "PATH_INFO": unquote(path, "iso-8859-1"),
        "RAW_URI": request.path_with_query() or "/",
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or ("443" if https else "80"),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": request.authority() or "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if https else "http",
        "wsgi.input": io.BufferedReader(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": True,
    }
    with request.headers() as headers:
        for name, value in headers.entries():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = "HTTP_" + key
            text = value.decode("iso-8859-1")
            environ[key] = environ[key] + "," + text if key in environ and key != "HTTP_HOST" else text
    return environ


def _method(request: IncomingRequest) -> str:
    method = request.method()
    if isinstance(method, Method_Other):
        return method.value
    return type(method).__name__.removeprefix("Method_").upper()


class _Body(io.RawIOBase):
    """The request's body, opened when it is first read."""

    def __init__(self, request: IncomingRequest):
        self._request = request
        self._body: IncomingBody | None = None
        self._stream = None
        self._over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if self._over:
            return 0
        if self._stream is None:
            self._body = self._request.consume()
            self._stream = self._body.stream()
        try:
            read = b""
            while not read:
                read = self._stream.blocking_read(min(len(buffer), _LARGEST_READ))
        except Err as error:
            self._over = True
            if isinstance(error.value, StreamError_Closed):
                return 0
            raise OSError("the client broke off") from None
        buffer[: len(read)] = read
        return len(read)

    def let_go(self) -> None:
        """Children before what they belong to."""
        for own in (self._stream, self._body, self._request):
            if own is not None:
                own.__exit__(None, None, None)


class _Response:
    """What start_response has said, and the body behind it."""

    def __init__(self, response_out: ResponseOutparam):
        self._out = response_out
        self._status: int | None = None
        self._headers: list[tuple[str, bytes]] = []
        self._body: OutgoingBody | None = None
        self._stream = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info=None):
        if exc_info is None and self._status is not None:
            raise AssertionError("start_response is called twice")
        if exc_info is not None and self._body is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status = int(status.split(" ", 1)[0])
        self._headers = [(name, value.encode("iso-8859-1")) for name, value in headers]
        return self.write

    def write(self, data: bytes) -> None:
        self._send_head()
        if self._stream is None:
            self._stream = self._body.write()
        rest = memoryview(data)
        while len(rest) > 0:
            size = min(self._stream.check_write(), len(rest))
            if size == 0:
                self._stream.blocking_flush()
                continue
            self._stream.write(bytes(rest[:size]))
            rest = rest[size:]
        self._stream.blocking_flush()

    def finish(self) -> None:
        self._send_head()
        self._close_stream()
        OutgoingBody.finish(self._body, None)

    def fail(self) -> None:
        """An answer that has begun is broken off, so that nobody takes it for whole."""
        if self._body is None:
            self._status, self._headers = 500, [("content-type", b"text/plain")]
            self.write(b"the application failed\n")
            self.finish()
        else:
            self._close_stream()
            self._body.__exit__(None, None, None)

    def _send_head(self) -> None:
        if self._body is not None:
            return
        if self._status is None:
            raise AssertionError("the application has not called start_response")
        fields = Fields()
        for name, value in self._headers:
            try:
                fields.append(name, value)
            except Err:
                # Those that belong to a connection are the host's.
                pass
        response = OutgoingResponse(fields)
        response.set_status_code(self._status)
        self._body = response.body()
        ResponseOutparam.set(self._out, Ok(response))

    def _close_stream(self) -> None:
        if self._stream is not None:
            self._stream.__exit__(None, None, None)
            self._stream = None
