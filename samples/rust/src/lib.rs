use shallop::http::uri::Uri;
use shallop::{header, Body, Method, Request, Response, StatusCode};

shallop::serve!(answer);

const PLAIN: &str = "text/plain; charset=utf-8";

fn answer(request: Request<Body>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/") => hello(request.uri()),
        (_, "/about") => about(&request),
        (&Method::POST, "/echo") => echo(request),
        _ => text(StatusCode::NOT_FOUND, "there is no such page\n".into()),
    }
}

/// Says hello, and to whom.
fn hello(uri: &Uri) -> Response<Body> {
    let name = parameter(uri, "name").unwrap_or_else(|| "world".into());
    text(StatusCode::OK, format!("hello, {name}\n"))
}

/// Tells what it was asked.
fn about(request: &Request<Body>) -> Response<Body> {
    let greeting = request.headers().get("x-greeting").map(|value| String::from_utf8_lossy(value.as_bytes()));
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let greeting = greeting.unwrap_or_default();
    let mut response =
        text(StatusCode::OK, format!("{} {path}\nquery: {query}\nx-greeting: {greeting}\n", request.method()));
    response.headers_mut().insert("x-language", "Rust".parse().unwrap());
    response
}

/// Gives the body back piece by piece, as it comes.
fn echo(request: Request<Body>) -> Response<Body> {
    let content_type = request.headers().get(header::CONTENT_TYPE).cloned();
    let mut response = Response::new(request.into_body());
    *response.status_mut() = StatusCode::CREATED;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, PLAIN);
    response.body(text.into()).unwrap()
}

/// A value of the query, decoded.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    })
}

/// `a+b%21` is `a b!`.
fn decoded(text: &str) -> String {
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let escape = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
