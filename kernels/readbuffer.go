package kernels

import "fmt"

// ReadBuffer is memory to measure reading with, again and again.
type ReadBuffer struct {
	buf    []byte
	passes int // over a chunk in one call: a buffer of a few KiB needs many to be measured at all
}

const leastRead = 4 << 10 // of a buffer

// NewReadBuffer allocates and writes at least so many bytes, in whole pages of 4 KiB.
func NewReadBuffer(bytes int) *ReadBuffer {
	n := max(ceilDiv(bytes, leastRead), 1) * leastRead
	if n > readChunk {
		n = ceilDiv(n, readChunk) * readChunk
	}
	return ReadBufferOf(make([]byte, n))
}

// ReadBufferOf measures with memory of the caller's choice, which it writes: so much of it as is a multiple of 4 KiB, or
// of 256 KiB where it is more than that.
func ReadBufferOf(buf []byte) *ReadBuffer {
	n := len(buf) / leastRead * leastRead
	if n > readChunk {
		n = n / readChunk * readChunk
	}
	if n == 0 {
		panic(fmt.Sprintf("kernels.ReadBufferOf: %d bytes, want %d or more", len(buf), leastRead))
	}
	b := &ReadBuffer{buf: buf[:n], passes: ceilDiv(readChunk, n)}
	for i := 0; i < n; i += 64 { // its own pages, not the shared page of zeros
		b.buf[i] = 1
	}
	return b
}

// Bandwidth is how fast all threads of the engine together read the buffer, in GB/s (10⁹ bytes), best of several runs.
// Where the buffer is smaller than a call should be, every thread reads all of it.
func (b *ReadBuffer) Bandwidth(e *Engine) float64 {
	j := &readJob{e: e, b: b, chunks: ceilDiv(len(b.buf), readChunk)}
	chunks := max(j.chunks, leastReads*e.Threads())
	return best(e, j, chunks, 5, float64(chunks)*float64(min(len(b.buf), readChunk)*b.passes))
}

// leastReads is how many calls of a thread a measurement has at least.
const leastReads = 8

// readJob reads chunk after chunk, from the beginning again where the buffer ends.
type readJob struct {
	e      *Engine
	b      *ReadBuffer
	chunks int // of the buffer
}

func (j *readJob) Do(_, chunk int) {
	at := chunk % j.chunks * readChunk
	b := j.b.buf[at:min(at+readChunk, len(j.b.buf))]
	for range j.b.passes {
		if f := j.e.level.peak.read; f != nil {
			f(&b[0], len(b))
			continue
		}
		readGeneric(as[uint64](b))
	}
}
