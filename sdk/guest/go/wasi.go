//go:build wasip1

package shallop

import (
	"errors"
	"io"
	"unsafe"
)

// The functions of WASI 0.2 that this package calls, as the canonical ABI lowers them: a text or a list is an address and a
// length, a resource a number, and what does not fit into one number comes back in an area whose address is given last.
// https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md

type resource = int32

// none stands for a resource that is not there.
const none resource = -1

// area takes a result: 32-bit words, the first of which has in its lowest byte which of several results it is.
type area struct {
	_     [0]uint64 // some results hold 64-bit numbers, and are aligned like them
	words [16]uint32
}

// tag says at which word which of several results is there; 0 is the first.
func (a *area) tag(word int) uint8 { return uint8(a.words[word]) }

func (a *area) pointer() unsafe.Pointer { return unsafe.Pointer(&a.words) }

func (a *area) resource(word int) resource { return resource(a.words[word]) }

// text copies the text whose address and length are at a word.
func (a *area) text(word int) string { return copied(a.words[word], a.words[word+1]) }

// pairs goes through the list of names and values whose address and length are at a word.
func (a *area) pairs(word int, each func(name, value string)) {
	for _, pair := range unsafe.Slice((*[4]uint32)(address(a.words[word])), a.words[word+1]) {
		each(copied(pair[0], pair[1]), copied(pair[2], pair[3]))
	}
}

// result reads what a call returns: either a resource at the word after the tag, or nothing.
func (a *area) result(what string) (resource, error) {
	if a.tag(0) != 0 {
		return none, errors.New("shallop: WASI refuses to " + what)
	}
	return a.resource(1), nil
}

// streamError is nil, io.EOF at a stream's end, or what the host says of a failure. The tag is at word 0, the error at a word.
func (a *area) streamError(word int) error {
	switch {
	case a.tag(0) == 0:
		return nil
	case a.tag(word) != 0:
		return io.EOF
	}
	reason := a.resource(word + 1)
	landInHeads()
	errorText(reason, a.pointer())
	said := a.text(0)
	errorDrop(reason)
	return errors.New("shallop: " + said)
}

func address(at uint32) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(nil), at) }

func copied(at, size uint32) string { return string(unsafe.Slice((*byte)(address(at)), size)) }

func bytesOf(text string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(text)), uint32(len(text))
}

// room is what the host writes to. sdk/build/language/realloc.ts finds it by its mark, and adds the functions that look there:
// they cannot be written in Go, which must not run while the host writes, and which takes memory that grows for its own.
var room = struct {
	_         [0]uint64
	mark      [36]byte
	next, end uint32 // where the next bytes of a list that the host returns go, and where they end
	kept      uint32 // how much the adapter of WASI preview 1 has of what follows
	adapter   [adapterSize]byte
	heads     [128 * 1024]byte
}{mark: [36]byte{'s', 'h', 'a', 'l', 'l', 'o', 'p', ':', ' ', 'r', 'o', 'o', 'm', ' ', 'f', 'o', 'r', ' ', 't', 'h', 'e', ' ', 'c', 'a', 'n', 'o', 'n', 'i', 'c', 'a', 'l', ' ', 'A', 'B', 'I'}}

// The adapter wants a page for its state and one for its stack.
const adapterSize = 2 * 64 * 1024

// land says where the next list goes.
func land(at unsafe.Pointer, size int) {
	room.next = uint32(uintptr(at))
	room.end = room.next + uint32(size)
}

// landInHeads is called before a call that returns texts. They are copied before the next.
func landInHeads() { land(unsafe.Pointer(&room.heads), len(room.heads)) }

//go:wasmimport wasi:io/error@0.2.10 [method]error.to-debug-string
func errorText(failure resource, to unsafe.Pointer)

//go:wasmimport wasi:io/error@0.2.10 [resource-drop]error
func errorDrop(failure resource)

//go:wasmimport wasi:io/poll@0.2.10 [method]pollable.block
func pollableBlock(pollable resource)

//go:wasmimport wasi:io/poll@0.2.10 [resource-drop]pollable
func pollableDrop(pollable resource)

//go:wasmimport wasi:io/streams@0.2.10 [method]input-stream.blocking-read
func inputBlockingRead(stream resource, size uint64, to unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [resource-drop]input-stream
func inputDrop(stream resource)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.check-write
func outputCheckWrite(stream resource, to unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.write
func outputWrite(stream resource, at unsafe.Pointer, size uint32, to unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.blocking-flush
func outputBlockingFlush(stream resource, to unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [resource-drop]output-stream
func outputDrop(stream resource)

//go:wasmimport wasi:http/types@0.2.10 [constructor]fields
func fieldsNew() resource

//go:wasmimport wasi:http/types@0.2.10 [method]fields.append
func fieldsAppend(fields resource, name unsafe.Pointer, nameSize uint32, value unsafe.Pointer, valueSize uint32, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]fields.entries
func fieldsEntries(fields resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]fields
func fieldsDrop(fields resource)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.method
func requestMethod(request resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.path-with-query
func requestPathWithQuery(request resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.authority
func requestAuthority(request resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.headers
func requestHeaders(request resource) resource

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.consume
func requestConsume(request resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-request
func requestDrop(request resource)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-body.stream
func incomingBodyStream(body resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-body
func incomingBodyDrop(body resource)

//go:wasmimport wasi:http/types@0.2.10 [constructor]outgoing-response
func responseNew(headers resource) resource

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-response.set-status-code
func responseSetStatus(response resource, status uint32) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-response.body
func responseBody(response resource, to unsafe.Pointer)

// The second number says that it is a response (0) or an error (1); what follows is the error's.
//
//go:wasmimport wasi:http/types@0.2.10 [static]response-outparam.set
func outparamSet(outparam resource, tag uint32, response resource, _ uint32, _ uint64, _, _, _, _ uint32)

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-body.write
func outgoingBodyWrite(body resource, to unsafe.Pointer)

// The second number says whether there are trailers.
//
//go:wasmimport wasi:http/types@0.2.10 [static]outgoing-body.finish
func outgoingBodyFinish(body resource, has uint32, trailers resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]outgoing-body
func outgoingBodyDrop(body resource)

//go:wasmimport wasi:http/types@0.2.10 [constructor]outgoing-request
func outgoingRequestNew(headers resource) resource

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-method
func outgoingRequestSetMethod(request resource, tag uint32, at unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-scheme
func outgoingRequestSetScheme(request resource, has, tag uint32, at unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-authority
func outgoingRequestSetAuthority(request resource, has uint32, at unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-path-with-query
func outgoingRequestSetPathWithQuery(request resource, has uint32, at unsafe.Pointer, size uint32) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.body
func outgoingRequestBody(request resource, to unsafe.Pointer)

// The second and third number are options, if any.
//
//go:wasmimport wasi:http/outgoing-handler@0.2.10 handle
func outgoingHandle(request resource, has uint32, options resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]future-incoming-response.subscribe
func futureSubscribe(future resource) resource

//go:wasmimport wasi:http/types@0.2.10 [method]future-incoming-response.get
func futureGet(future resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]future-incoming-response
func futureDrop(future resource)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.status
func incomingResponseStatus(response resource) uint32

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.headers
func incomingResponseHeaders(response resource) resource

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.consume
func incomingResponseConsume(response resource, to unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-response
func incomingResponseDrop(response resource)
