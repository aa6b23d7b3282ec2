//! A handler as a program that answers HTTP/1.1 until SIGTERM: a thread a connection. It stands behind a gateway, which speaks
//! TLS and HTTP/2 and takes care of slow clients.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, mem, panic, process, ptr, thread};

use http::{header, HeaderName, HeaderValue, Method, Request, StatusCode, Version};

use crate::{Body, Handler, Response};

// A request's line and headers, and a line of a chunked body: what gateways send at most, twice.
const HEAD_MAX: usize = 128 * 1024;
const HEADERS_MAX: usize = 256;
const PIECE_SIZE: usize = 16 * 1024;
// What a handler leaves of a body is thrown away, so that the connection can be used again; beyond it is closed.
const LEFT_MAX: u64 = 1024 * 1024;
// A thread has a stack, and a head's room.
const CONNECTIONS_MAX: usize = 1024;
// A connection that says nothing for so long is closed; one that is answered is given so long to end at SIGTERM.
const IDLE: Duration = Duration::from_secs(90);
const DRAIN: Duration = Duration::from_secs(10);

static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
static BUSY: AtomicUsize = AtomicUsize::new(0);
static ENDING: AtomicBool = AtomicBool::new(false);

/// Answers HTTP on $PORT, 8080 where it is not set, until SIGTERM.
pub fn listen(handler: Handler) {
    let ends = block_signals();
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080u16);
    let listener = TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port)));
    let listener = listener.unwrap_or_else(|error| {
        eprintln!("cannot listen on port {port}: {error}");
        process::exit(1);
    });
    thread::spawn(move || accept_all(&listener, handler));
    wait_for(&ends);
    ENDING.store(true, Ordering::SeqCst);
    let step = Duration::from_millis(50);
    for _ in 0..DRAIN.as_millis() / step.as_millis() {
        if BUSY.load(Ordering::SeqCst) == 0 {
            break;
        }
        thread::sleep(step);
    }
}

/// Threads inherit it: the signals wait for the one that asks for them.
fn block_signals() -> libc::sigset_t {
    // SAFETY: a set of signals is plain bytes, which these functions fill.
    unsafe {
        let mut ends: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&mut ends);
        libc::sigaddset(&mut ends, libc::SIGTERM);
        libc::sigaddset(&mut ends, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &ends, ptr::null_mut());
        ends
    }
}

fn wait_for(ends: &libc::sigset_t) {
    let mut signal = 0;
    // SAFETY: both are there for the call.
    unsafe { libc::sigwait(ends, &mut signal) };
}

fn accept_all(listener: &TcpListener, handler: Handler) {
    for stream in listener.incoming() {
        while CONNECTIONS.load(Ordering::SeqCst) >= CONNECTIONS_MAX {
            thread::sleep(Duration::from_millis(5));
        }
        let Ok(stream) = stream else { continue };
        CONNECTIONS.fetch_add(1, Ordering::SeqCst);
        thread::spawn(move || {
            // A handler that panics ends its connection, and no other.
            let _ = panic::catch_unwind(|| serve(stream, handler));
            CONNECTIONS.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// While it lives, the program waits for it to end.
struct Busy;

impl Busy {
    fn new() -> Busy {
        BUSY.fetch_add(1, Ordering::SeqCst);
        Busy
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(stream: TcpStream, handler: Handler) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let connection = Rc::new(RefCell::new(Connection {
        stream,
        buffer: Vec::new(),
        framing: Framing::Ended,
        left: 0,
        expects: false,
    }));
    loop {
        let head = connection.borrow_mut().head();
        let Some(head) = head.inspect_err(|error| {
            if error.kind() == ErrorKind::InvalidData {
                let _ = writer.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        })?
        else {
            return Ok(());
        };
        let busy = Busy::new();
        let asked = Asked {
            head_only: head.method() == Method::HEAD,
            old: head.version() == Version::HTTP_10,
            close: has_token(&head, header::CONNECTION, "close"),
        };
        let response = handler(head.map(|()| Body::from_reader(Incoming(connection.clone()))));
        let again = respond(&mut writer, response, &asked)?;
        if !again || !connection.borrow_mut().finish_body() {
            return Ok(());
        }
        drop(busy);
    }
}

/// What a request says of how it is to be answered.
struct Asked {
    head_only: bool,
    old: bool,
    close: bool,
}

/// Whether the connection can be used again.
fn respond(writer: &mut TcpStream, response: Response<Body>, asked: &Asked) -> io::Result<bool> {
    let (head, mut body) = response.into_parts();
    let bodiless = asked.head_only || head.status == StatusCode::NO_CONTENT || head.status == StatusCode::NOT_MODIFIED;
    let said = head.headers.get(header::CONTENT_LENGTH).and_then(|text| text.to_str().ok()?.parse().ok());
    let length: Option<u64> = said.or(body.length);
    let chunked = length.is_none() && !bodiless && !asked.old;
    let again = !asked.close && !asked.old && !ENDING.load(Ordering::SeqCst);
    let mut text = format!("HTTP/1.1 {} \r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        if name != header::TRANSFER_ENCODING && name != header::CONNECTION && name != header::CONTENT_LENGTH {
            line(&mut text, name.as_str(), value.as_bytes());
        }
    }
    match length {
        Some(length) if !bodiless || asked.head_only => {
            line(&mut text, "content-length", length.to_string().as_bytes());
        }
        _ if chunked => line(&mut text, "transfer-encoding", b"chunked"),
        _ => {}
    }
    if !again {
        line(&mut text, "connection", b"close");
    }
    text.extend(b"\r\n");
    let mut written = 0;
    let mut piece = vec![0; PIECE_SIZE];
    while !bodiless {
        let size = match body.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        if size == 0 {
            break;
        }
        if chunked {
            text.extend(format!("{size:x}\r\n").as_bytes());
        }
        text.extend(&piece[..size]);
        if chunked {
            text.extend(b"\r\n");
        }
        writer.write_all(&text)?;
        text.clear();
        written += size as u64;
    }
    if chunked {
        text.extend(b"0\r\n\r\n");
    }
    writer.write_all(&text)?;
    Ok(again && (bodiless || chunked || length == Some(written)))
}

fn line(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        text.extend(part);
    }
}

fn has_token(head: &Request<()>, name: HeaderName, token: &str) -> bool {
    let values = head.headers().get_all(name);
    values.iter().any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains(token)))
}

/// The body of the request that is being answered.
struct Incoming(Rc<RefCell<Connection>>);

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read_body(buffer)
    }
}

#[derive(PartialEq)]
enum Framing {
    /// `left` is what remains of the whole.
    Length,
    /// `left` is what remains of a chunk; before the first there is no line end.
    FirstChunk,
    NextChunk,
    Ended,
}

struct Connection {
    stream: TcpStream,
    /// What has come and was not yet used.
    buffer: Vec<u8>,
    framing: Framing,
    left: u64,
    expects: bool,
}

impl Connection {
    /// None when the client has no more.
    fn head(&mut self) -> io::Result<Option<Request<()>>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut parsed = httparse::Request::new(&mut headers);
            match parsed.parse(&self.buffer).map_err(invalid)? {
                httparse::Status::Complete(size) => {
                    let request = request_of(&parsed)?;
                    self.buffer.drain(..size);
                    self.frame(&request)?;
                    return Ok(Some(request));
                }
                httparse::Status::Partial if self.buffer.len() > HEAD_MAX => return Err(invalid("the head is too long")),
                httparse::Status::Partial if self.fill()? == 0 => return Ok(None),
                httparse::Status::Partial => {}
            }
        }
    }

    /// How long the body is; it is refused when that is said in two ways.
    fn frame(&mut self, request: &Request<()>) -> io::Result<()> {
        let headers = request.headers();
        let codings: Vec<_> = headers.get_all(header::TRANSFER_ENCODING).iter().collect();
        let lengths: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
        self.expects = has_token(request, header::EXPECT, "100-continue");
        self.left = 0;
        self.framing = match (codings.as_slice(), lengths.as_slice()) {
            ([], []) => Framing::Ended,
            ([coding], []) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Framing::FirstChunk,
            ([], [length]) if length.as_bytes().iter().all(u8::is_ascii_digit) => {
                self.left = length.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| invalid("length"))?;
                Framing::Length
            }
            _ => return Err(invalid("the body's length is said in two ways, or in none that is known")),
        };
        Ok(())
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; PIECE_SIZE];
        loop {
            match self.stream.read(&mut piece) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => {
                    let size = read?;
                    self.buffer.extend_from_slice(&piece[..size]);
                    return Ok(size);
                }
            }
        }
    }

    fn read_body(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if mem::take(&mut self.expects) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if self.left == 0 {
            match self.framing {
                Framing::Length | Framing::Ended => return Ok(0),
                Framing::FirstChunk | Framing::NextChunk => self.next_chunk()?,
            }
        }
        if self.left == 0 || to.is_empty() {
            return Ok(0);
        }
        if self.buffer.is_empty() && self.fill()? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = self.buffer.len().min(to.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        to[..size].copy_from_slice(&self.buffer[..size]);
        self.buffer.drain(..size);
        self.left -= size as u64;
        Ok(size)
    }

    /// Begins the next chunk; trailers are read and forgotten.
    fn next_chunk(&mut self) -> io::Result<()> {
        if mem::replace(&mut self.framing, Framing::NextChunk) == Framing::NextChunk && !self.line()?.is_empty() {
            return Err(invalid("a chunk is longer than it says"));
        }
        let line = self.line()?;
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size).map_err(invalid)?.trim_end();
        if !size.starts_with(|first: char| first.is_ascii_hexdigit()) {
            return Err(invalid("a chunk has no size"));
        }
        self.left = u64::from_str_radix(size, 16).map_err(invalid)?;
        if self.left == 0 {
            self.framing = Framing::Ended;
            while !self.line()?.is_empty() {}
        }
        Ok(())
    }

    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(invalid("a line is too long"));
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Whether what the handler has left of the body is out of the way.
    fn finish_body(&mut self) -> bool {
        let mut piece = [0; PIECE_SIZE];
        let mut thrown = 0;
        if self.expects {
            return self.left == 0 && self.framing != Framing::FirstChunk;
        }
        while thrown <= LEFT_MAX {
            match self.read_body(&mut piece) {
                Ok(0) => return true,
                Ok(size) => thrown += size as u64,
                Err(_) => return false,
            }
        }
        false
    }
}

fn request_of(parsed: &httparse::Request) -> io::Result<Request<()>> {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes()).map_err(invalid)?;
    *request.uri_mut() = parsed.path.unwrap_or("/").parse().map_err(invalid)?;
    if parsed.version == Some(0) {
        *request.version_mut() = Version::HTTP_10;
    }
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(invalid)?;
        request.headers_mut().append(name, HeaderValue::from_bytes(header.value).map_err(invalid)?);
    }
    Ok(request)
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
