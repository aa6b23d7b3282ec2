//go:build wasip1

package shallop

import (
	"bufio"
	"context"
	"log"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"unsafe"
)

// Main answers HTTP on $PORT, 8080 where it is not set, until SIGTERM. In a component it is not run.
func Main() {}

// In the order of WASI's variant; after these comes one that carries a text.
var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

//go:wasmexport wasi:http/incoming-handler@0.2.10#handle
func handle(incoming, outparam int32) {
	ended, end := context.WithCancel(context.Background())
	defer end()
	w := &response{outparam: outparam, header: http.Header{}}
	defer requestDrop(incoming)
	r, err := newRequest(ended, incoming)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		w.finish()
		return
	}
	w.bodiless = r.Method == http.MethodHead
	defer r.Body.Close()
	defer w.finish()
	defer w.recover()
	handler.ServeHTTP(w, r)
}

func newRequest(ctx context.Context, incoming resource) (*http.Request, error) {
	var taken area
	landInHeads()
	requestMethod(incoming, taken.pointer())
	method := ""
	if tag := taken.tag(0); int(tag) < len(methods) {
		method = methods[tag]
	} else {
		method = taken.text(1)
	}
	target := optional(&taken, incoming, requestPathWithQuery, "/")
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, err
	}
	header := readFields(requestHeaders(incoming))
	r := &http.Request{
		Method: method, URL: u, RequestURI: target, Header: header, Host: optional(&taken, incoming, requestAuthority, ""),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
	}
	if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		r.ContentLength = length
	} else if method != http.MethodGet && method != http.MethodHead {
		r.ContentLength = -1
	}
	if r.ContentLength != 0 {
		requestConsume(incoming, taken.pointer())
		body, err := openIncoming(&taken)
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	return r.WithContext(ctx), nil
}

// optional is a text that a request has or has not.
func optional(taken *area, incoming resource, get func(resource, unsafe.Pointer), otherwise string) string {
	landInHeads()
	get(incoming, taken.pointer())
	if taken.tag(0) == 0 {
		return otherwise
	}
	return taken.text(1)
}

// response is the http.ResponseWriter of a component. As in Go's own server, small writes are gathered, and leave when there
// are many, when the handler flushes, or when it is done.
type response struct {
	outparam resource
	header   http.Header
	status   int
	sent     *outgoingBody
	gathered *bufio.Writer
	bodiless bool
	failed   bool
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	// Answers before the answer have no place in WASI.
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.bodiless = w.bodiless || status == http.StatusNoContent || status == http.StatusNotModified
	w.header = w.header.Clone()
}

func (w *response) Write(from []byte) (int, error) {
	if w.status == 0 {
		w.guessType(from)
		w.WriteHeader(http.StatusOK)
	}
	if w.bodiless {
		return len(from), nil
	}
	if w.gathered == nil {
		w.guessType(from)
		w.gathered = bufio.NewWriter(late{w})
	}
	return w.gathered.Write(from)
}

// guessType does as Go's own server.
func (w *response) guessType(from []byte) {
	if _, has := w.header["Content-Type"]; !has && len(from) > 0 && w.header.Get("Content-Encoding") == "" {
		w.header.Set("Content-Type", http.DetectContentType(from))
	}
}

// late sends the head before the first of the body leaves.
type late struct{ *response }

func (l late) Write(from []byte) (int, error) {
	if err := l.sendHead(); err != nil {
		return 0, err
	}
	return l.sent.Write(from)
}

func (w *response) sendHead() error {
	if w.sent != nil {
		return nil
	}
	w.WriteHeader(http.StatusOK)
	own := responseNew(newFields(w.header))
	responseSetStatus(own, uint32(w.status))
	var given area
	responseBody(own, given.pointer())
	body, err := openOutgoing(&given)
	if err != nil {
		return err
	}
	w.sent = body
	outparamSet(w.outparam, 0, own, 0, 0, 0, 0, 0, 0)
	return nil
}

// FlushError is found by http.ResponseController.
func (w *response) FlushError() error {
	if err := w.sendHead(); err != nil {
		return err
	}
	if w.gathered == nil {
		return nil
	}
	if err := w.gathered.Flush(); err != nil {
		return err
	}
	return w.sent.Flush()
}

func (w *response) Flush() { _ = w.FlushError() }

// recover ends an answer whose handler panics: one that has begun is broken off, so that nobody takes it for whole.
func (w *response) recover() {
	reason := recover()
	if reason == nil {
		return
	}
	if reason != http.ErrAbortHandler {
		log.Printf("shallop: the handler panics: %v\n%s", reason, debug.Stack())
	}
	w.failed = true
	if w.sent == nil {
		w.status, w.gathered, w.header = http.StatusInternalServerError, nil, http.Header{}
		_ = w.sendHead()
	}
}

func (w *response) finish() {
	if w.gathered != nil && !w.failed {
		_ = w.gathered.Flush()
	}
	if w.sendHead() != nil {
		return
	}
	if w.failed && w.gathered != nil {
		w.sent.Break()
		return
	}
	_ = w.sent.Finish()
}
