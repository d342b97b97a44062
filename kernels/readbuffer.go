package kernels

// ReadBuffer is memory to measure reading with, again and again.
type ReadBuffer struct{ buf []byte }

// NewReadBuffer allocates and writes at least so many bytes.
func NewReadBuffer(bytes int) *ReadBuffer {
	b := &ReadBuffer{buf: make([]byte, max(ceilDiv(bytes, readChunk), 1)*readChunk)}
	for i := 0; i < len(b.buf); i += 64 { // its own pages, not the shared page of zeros
		b.buf[i] = 1
	}
	return b
}

// Bandwidth is how fast all threads of the engine together read the buffer, in GB/s (10⁹ bytes), best of several passes.
func (b *ReadBuffer) Bandwidth(e *Engine) float64 {
	return best(e, &readJob{e: e, buf: b.buf}, len(b.buf)/readChunk, 5, float64(len(b.buf)))
}
