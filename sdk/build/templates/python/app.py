from urllib.parse import parse_qs


def app(environ, start_response):
    """Greets the name in the query, and gives back what is posted."""
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    if environ["REQUEST_METHOD"] == "POST":
        return iter(lambda: environ["wsgi.input"].read1(), b"")
    name = parse_qs(environ["QUERY_STRING"]).get("name", ["world"])[0]
    return [f"hello, {name}\n".encode()]
