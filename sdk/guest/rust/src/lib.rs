//! Answers HTTP requests with one function: as a WebAssembly component (WASI 0.2), and as a native program from the same
//! source.
//!
//! ```ignore
//! use shallop::{Body, Request, Response};
//!
//! shallop::serve!(answer);
//!
//! fn answer(request: Request<Body>) -> Response<Body> {
//!     Response::new(Body::from(format!("you asked for {}\n", request.uri())))
//! }
//! ```

use std::io::{self, Cursor, Read};

pub use http::{self, header, HeaderValue, Method, Request, Response, StatusCode};

#[cfg(target_family = "wasm")]
mod component;
#[cfg(target_family = "wasm")]
pub use component::answer;
#[cfg(target_family = "wasm")]
pub use wasip2;

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(not(target_family = "wasm"))]
pub use native::listen;

/// What answers a request.
pub type Handler = fn(Request<Body>) -> Response<Body>;

/// A body, which is read: of a request as it comes, of a response until it ends. Each piece that is read is sent at once.
pub struct Body {
    reader: Box<dyn Read>,
    /// Where it is known.
    #[cfg_attr(target_family = "wasm", allow(dead_code))]
    length: Option<u64>,
}

impl Body {
    pub fn empty() -> Body {
        Body::from(Vec::new())
    }

    pub fn from_reader(reader: impl Read + 'static) -> Body {
        Body { reader: Box::new(reader), length: None }
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        let length = Some(bytes.len() as u64);
        Body { reader: Box::new(Cursor::new(bytes)), length }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::from(text.into_bytes())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body::from(text.as_bytes().to_vec())
    }
}

/// Says which function of the crate answers: the component exports it, and `serve()` answers with it natively.
#[macro_export]
macro_rules! serve {
    ($handler:ident) => {
        #[cfg(target_family = "wasm")]
        mod shallop_component {
            use $crate::wasip2;
            use $crate::wasip2::http::types::{IncomingRequest, ResponseOutparam};

            struct Component;

            impl $crate::wasip2::exports::http::incoming_handler::Guest for Component {
                fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
                    $crate::answer(super::$handler, request, outparam);
                }
            }

            $crate::wasip2::http::proxy::export!(Component);
        }

        /// Answers HTTP on $PORT, 8080 where it is not set, until SIGTERM. In a component it is not called.
        #[cfg(not(target_family = "wasm"))]
        pub fn serve() {
            $crate::listen($handler);
        }
    };
}
