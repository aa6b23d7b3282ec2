//! A handler as wasi:http/incoming-handler.

use std::io::{self, Read};

use http::{header, HeaderMap, HeaderName, HeaderValue, Method, Request};
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, Method as WasiMethod, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::{Body, Handler};

// As much of a body as is read at once.
const PIECE_SIZE: usize = 32 * 1024;

/// Called by what `serve!` makes.
pub fn answer(handler: Handler, request: IncomingRequest, outparam: ResponseOutparam) {
    let request = request_of(request);
    let bodiless = request.method() == Method::HEAD;
    let (head, body) = handler(request).into_parts();
    let response = OutgoingResponse::new(fields_of(&head.headers));
    // http's statuses are WASI's.
    let _ = response.set_status_code(head.status.as_u16());
    let outgoing = response.body().expect("it is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    // A body that is dropped unfinished is broken off, so that nobody takes it for whole.
    if bodiless || send(body, &outgoing).is_ok() {
        let _ = OutgoingBody::finish(outgoing, None);
    }
}

fn request_of(incoming: IncomingRequest) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method_of(incoming.method());
    let target = incoming.path_with_query();
    *request.uri_mut() = target.as_deref().unwrap_or("/").parse().unwrap_or_default();
    if let Some(host) = incoming.authority().and_then(|host| HeaderValue::from_str(&host).ok()) {
        request.headers_mut().insert(header::HOST, host);
    }
    for (name, value) in incoming.headers().entries() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            request.headers_mut().append(name, value);
        }
    }
    *request.body_mut() = Body::from_reader(Incoming::Unopened(incoming));
    request
}

fn method_of(method: WasiMethod) -> Method {
    match method {
        WasiMethod::Get => Method::GET,
        WasiMethod::Head => Method::HEAD,
        WasiMethod::Post => Method::POST,
        WasiMethod::Put => Method::PUT,
        WasiMethod::Delete => Method::DELETE,
        WasiMethod::Connect => Method::CONNECT,
        WasiMethod::Options => Method::OPTIONS,
        WasiMethod::Trace => Method::TRACE,
        WasiMethod::Patch => Method::PATCH,
        WasiMethod::Other(name) => Method::from_bytes(name.as_bytes()).unwrap_or_default(),
    }
}

/// WASI refuses the headers that belong to a connection; they are left out.
fn fields_of(headers: &HeaderMap) -> Fields {
    let fields = Fields::new();
    for (name, value) in headers {
        let _ = fields.append(name.as_str(), value.as_bytes());
    }
    fields
}

/// A request's body, opened when it is first read. Children are dropped before what they belong to.
enum Incoming {
    Unopened(IncomingRequest),
    Open { stream: InputStream, _body: IncomingBody, _request: IncomingRequest },
    Over,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Incoming::Unopened(_) = self {
            let Incoming::Unopened(request) = std::mem::replace(self, Incoming::Over) else { unreachable!() };
            let body = request.consume().map_err(|()| io::Error::other("the body is taken"))?;
            let stream = body.stream().map_err(|()| io::Error::other("the body is taken"))?;
            *self = Incoming::Open { stream, _body: body, _request: request };
        }
        let Incoming::Open { stream, .. } = self else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match stream.blocking_read(buffer.len() as u64) {
                Ok(read) if read.is_empty() => continue,
                Ok(read) => {
                    buffer[..read.len()].copy_from_slice(&read);
                    return Ok(read.len());
                }
                Err(StreamError::Closed) => return Ok(0),
                Err(StreamError::LastOperationFailed(error)) => return Err(io::Error::other(error.to_debug_string())),
            }
        }
    }
}

fn send(mut body: Body, outgoing: &OutgoingBody) -> io::Result<()> {
    let mut piece = vec![0; PIECE_SIZE];
    let stream = outgoing.write().expect("it is taken once");
    loop {
        match body.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(size) => write(&stream, &piece[..size]).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
    }
}

fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = stream.check_write()?.min(bytes.len() as u64) as usize;
        if room == 0 {
            stream.blocking_flush()?;
        } else {
            stream.write(&bytes[..room])?;
            bytes = &bytes[room..];
        }
    }
    stream.blocking_flush()
}
