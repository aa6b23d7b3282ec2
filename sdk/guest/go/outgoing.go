//go:build wasip1

package shallop

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

func init() { http.DefaultTransport = transport{} }

// transport sends the requests of net/http's client through WASI: where they may go is the platform's to say.
type transport struct{}

func (transport) RoundTrip(r *http.Request) (*http.Response, error) {
	future, err := send(r)
	if err != nil {
		return nil, err
	}
	defer futureDrop(future)
	for {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		var got area
		futureGet(future, got.pointer())
		switch {
		case got.tag(0) == 0: // Not yet.
			pollable := futureSubscribe(future)
			pollableBlock(pollable)
			pollableDrop(pollable)
		case got.tag(2) != 0:
			return nil, errors.New("shallop: an answer was taken twice")
		case got.tag(4) != 0:
			return nil, requestError(got.tag(6))
		default:
			return newResponse(r, got.resource(6))
		}
	}
}

// send sends a request and all of its body; the answer is in the future.
func send(r *http.Request) (resource, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	header := r.Header.Clone()
	if r.ContentLength > 0 {
		header.Set("Content-Length", fmt.Sprint(r.ContentLength))
	}
	request := outgoingRequestNew(newFields(header))
	describe(request, r)
	var given area
	outgoingRequestBody(request, given.pointer())
	body, err := openOutgoing(&given)
	if err != nil {
		return none, err
	}
	var sent area
	outgoingHandle(request, 0, 0, sent.pointer())
	if sent.tag(0) != 0 {
		body.Break()
		return none, requestError(sent.tag(2))
	}
	future := sent.resource(2)
	if r.Body != nil {
		if _, err := io.Copy(body, r.Body); err != nil {
			body.Break()
			futureDrop(future)
			return none, err
		}
	}
	if err := body.Finish(); err != nil {
		futureDrop(future)
		return none, err
	}
	return future, nil
}

// describe says where a request goes.
func describe(request resource, r *http.Request) {
	tag := slices.Index(methods[:], r.Method)
	at, size := bytesOf("")
	if tag < 0 {
		tag = len(methods)
		at, size = bytesOf(r.Method)
	}
	outgoingRequestSetMethod(request, uint32(tag), at, size)
	scheme := uint32(1)
	if r.URL.Scheme == "http" {
		scheme = 0
	}
	outgoingRequestSetScheme(request, 1, scheme, nil, 0)
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	at, size = bytesOf(host)
	outgoingRequestSetAuthority(request, 1, at, size)
	at, size = bytesOf(r.URL.RequestURI())
	outgoingRequestSetPathWithQuery(request, 1, at, size)
}

func newResponse(r *http.Request, incoming resource) (*http.Response, error) {
	status := int(incomingResponseStatus(incoming))
	header := readFields(incomingResponseHeaders(incoming))
	var consumed area
	incomingResponseConsume(incoming, consumed.pointer())
	body, err := openIncoming(&consumed)
	if err != nil {
		incomingResponseDrop(incoming)
		return nil, err
	}
	length := int64(-1)
	if said := header.Get("Content-Length"); said != "" {
		if _, err := fmt.Sscan(said, &length); err != nil {
			length = -1
		}
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", status, http.StatusText(status)), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: &incomingResponse{body, incoming}, ContentLength: length, Request: r,
	}, nil
}

// incomingResponse is the body of an answer, which goes with it.
type incomingResponse struct {
	*incomingBody
	own resource
}

func (b *incomingResponse) Close() error {
	err := b.incomingBody.Close()
	if b.own != none {
		incomingResponseDrop(b.own)
		b.own = none
	}
	return err
}

// The cases of wasi:http's error-code, in its order.
var requestErrors = [...]string{
	"DNS timeout", "DNS error", "destination not found", "destination unavailable", "destination IP prohibited",
	"destination IP unroutable", "connection refused", "connection terminated", "connection timeout",
	"connection read timeout", "connection write timeout", "connection limit reached", "TLS protocol error",
	"TLS certificate error", "TLS alert received", "HTTP request denied", "HTTP request length required",
	"HTTP request body size", "HTTP request method invalid", "HTTP request URI invalid", "HTTP request URI too long",
	"HTTP request header section size", "HTTP request header size", "HTTP request trailer section size",
	"HTTP request trailer size", "HTTP response incomplete", "HTTP response header section size",
	"HTTP response header size", "HTTP response body size", "HTTP response trailer section size",
	"HTTP response trailer size", "HTTP response transfer coding", "HTTP response content coding",
	"HTTP response timeout", "HTTP upgrade failed", "HTTP protocol error", "loop detected", "configuration error",
	"internal error",
}

func requestError(code uint8) error {
	if int(code) >= len(requestErrors) {
		return errors.New("shallop: the request failed")
	}
	return errors.New("shallop: " + requestErrors[code])
}
