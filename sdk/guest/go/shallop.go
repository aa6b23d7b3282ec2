// Package shallop answers HTTP requests with an ordinary http.Handler: as a WebAssembly component (WASI 0.2), and as a
// native program from the same source.
//
//	func init() { shallop.Handle(http.HandlerFunc(hello)) }
//
//	func main() { shallop.Main() }
//
// In a component main is not run: each request has an instance of its own, whose packages are initialised for it. Requests
// go out through http.Get and the rest of net/http's client as usual; there are no sockets beside that.
package shallop

import "net/http"

var handler http.Handler = http.DefaultServeMux

// Handle says what answers requests; without it http.DefaultServeMux does. It is called from an init function.
func Handle(h http.Handler) { handler = h }
