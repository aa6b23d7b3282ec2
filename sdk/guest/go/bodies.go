//go:build wasip1

package shallop

import (
	"io"
	"net/http"
	"runtime"
	"unsafe"
)

// incomingBody reads a body through its stream. Children are let go before what they belong to.
type incomingBody struct {
	body, stream resource
	over         error
}

// openIncoming is given what a consume function has returned.
func openIncoming(consumed *area) (*incomingBody, error) {
	body, err := consumed.result("give the body")
	if err != nil {
		return nil, err
	}
	var opened area
	incomingBodyStream(body, opened.pointer())
	stream, err := opened.result("open the body")
	if err != nil {
		incomingBodyDrop(body)
		return nil, err
	}
	return &incomingBody{body: body, stream: stream}, nil
}

// Read takes what has come, and waits while nothing has. Bytes land where they are wanted, without a copy.
func (b *incomingBody) Read(to []byte) (int, error) {
	if b.over != nil || len(to) == 0 {
		return 0, b.over
	}
	for {
		var read area
		land(unsafe.Pointer(unsafe.SliceData(to)), len(to))
		inputBlockingRead(b.stream, uint64(len(to)), read.pointer())
		runtime.KeepAlive(to)
		if b.over = read.streamError(1); b.over != nil {
			return 0, b.over
		}
		if size := int(read.words[2]); size > 0 {
			return size, nil
		}
	}
}

func (b *incomingBody) Close() error {
	if b.stream != none {
		inputDrop(b.stream)
		incomingBodyDrop(b.body)
		b.stream, b.over = none, http.ErrBodyReadAfterClose
	}
	return nil
}

// outgoingBody writes a body through its stream.
type outgoingBody struct{ body, stream resource }

// openOutgoing is given what a body function has returned.
func openOutgoing(given *area) (*outgoingBody, error) {
	body, err := given.result("give the body")
	if err != nil {
		return nil, err
	}
	return &outgoingBody{body: body, stream: none}, nil
}

func (b *outgoingBody) Write(from []byte) (int, error) {
	if b.stream == none {
		var opened area
		outgoingBodyWrite(b.body, opened.pointer())
		stream, err := opened.result("open the body")
		if err != nil {
			return 0, err
		}
		b.stream = stream
	}
	written := 0
	for written < len(from) {
		var room area
		outputCheckWrite(b.stream, room.pointer())
		// A 64-bit number begins two words after its tag.
		if err := room.streamError(2); err != nil {
			return written, broken(err)
		}
		part := min(uint64(room.words[2])|uint64(room.words[3])<<32, uint64(len(from)-written))
		if part == 0 {
			if err := b.Flush(); err != nil {
				return written, err
			}
			continue
		}
		at := unsafe.Pointer(unsafe.SliceData(from[written:]))
		outputWrite(b.stream, at, uint32(part), room.pointer())
		runtime.KeepAlive(from)
		if err := room.streamError(1); err != nil {
			return written, broken(err)
		}
		written += int(part)
	}
	return written, nil
}

// Flush waits until what was written has left.
func (b *outgoingBody) Flush() error {
	if b.stream == none {
		return nil
	}
	var flushed area
	outputBlockingFlush(b.stream, flushed.pointer())
	return broken(flushed.streamError(1))
}

// Finish says that the body is whole.
func (b *outgoingBody) Finish() error {
	err := b.Flush()
	if err != nil {
		b.Break()
		return err
	}
	b.dropStream()
	var ignored area
	outgoingBodyFinish(b.body, 0, 0, ignored.pointer())
	return nil
}

// Break leaves the body as it is: its reader learns that something is missing.
func (b *outgoingBody) Break() {
	b.dropStream()
	outgoingBodyDrop(b.body)
}

func (b *outgoingBody) dropStream() {
	if b.stream != none {
		outputDrop(b.stream)
		b.stream = none
	}
}

// broken says of a stream that ends while it is written what pipes say.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrClosedPipe
	}
	return err
}

// newFields are headers for WASI, which refuses those that belong to a connection; they are left out.
func newFields(header http.Header) resource {
	fields := fieldsNew()
	for name, values := range header {
		for _, value := range values {
			var ignored area
			nameAt, nameSize := bytesOf(name)
			valueAt, valueSize := bytesOf(value)
			fieldsAppend(fields, nameAt, nameSize, valueAt, valueSize, ignored.pointer())
		}
	}
	return fields
}

// readFields are WASI's headers for Go.
func readFields(fields resource) http.Header {
	header := http.Header{}
	var entries area
	landInHeads()
	fieldsEntries(fields, entries.pointer())
	entries.pairs(0, header.Add)
	fieldsDrop(fields)
	return header
}
