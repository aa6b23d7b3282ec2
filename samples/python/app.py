"""A WSGI application, as Flask or Bottle would make one."""

from urllib.parse import parse_qs

PLAIN = [("Content-Type", "text/plain; charset=utf-8")]


def hello(environ, start_response):
    """Says hello, and to whom."""
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["world"])[0]
    start_response("200 OK", PLAIN)
    return [f"hello, {name}\n".encode()]


def about(environ, start_response):
    """Tells what it was asked."""
    start_response("200 OK", [*PLAIN, ("X-Language", "Python")])
    greeting = environ.get("HTTP_X_GREETING", "")
    yield f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}\n".encode()
    yield f"query: {environ['QUERY_STRING']}\nx-greeting: {greeting}\n".encode("iso-8859-1")


def echo(environ, start_response):
    """Gives the body back piece by piece, as it comes."""
    start_response("201 Created", [("Content-Type", environ.get("CONTENT_TYPE", "application/octet-stream"))])
    while piece := environ["wsgi.input"].read1(64 * 1024):
        yield piece


def app(environ, start_response):
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET" | "HEAD", "/":
            return hello(environ, start_response)
        case _, "/about":
            return about(environ, start_response)
        case "POST", "/echo":
            return echo(environ, start_response)
    start_response("404 Not Found", PLAIN)
    return [b"there is no such page\n"]
