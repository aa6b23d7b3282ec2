//! The native program; the component is the library.

fn main() {
    app::serve();
}
