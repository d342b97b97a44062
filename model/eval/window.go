package eval

import (
	"errors"
	"fmt"
)

// ErrText is returned for a text that cannot be scored, or windows that leave some of it out.
var ErrText = errors.New("text cannot be scored")

// window reads tokens From to To (not included) of a text and scores the tokens Score to To, both included.
type window struct{ from, to, score int }

// defaultWindow bounds the windows of models with a long context: their cost grows with the square.
const defaultWindow = 4096

// windows cuts a text of n tokens.
func windows(n, size, stride int) []window {
	var out []window
	for from, next := 0, 1; next < n; from += stride {
		to := min(from+size, n-1)
		out = append(out, window{from, to, next})
		next = to + 1
	}
	return out
}

// sizes resolves the options' window and stride against the model's context.
func (o *Options) sizes(context, tokens int) (size, stride int, err error) {
	size = o.Window
	if size == 0 {
		size = min(context, defaultWindow)
	}
	stride = o.Stride
	if stride == 0 {
		stride = size
	}
	switch {
	case tokens < 2:
		return 0, 0, fmt.Errorf("%w: want at least 2 tokens, found %d", ErrText, tokens)
	case size < 1 || size > context:
		return 0, 0, fmt.Errorf("%w: window: want 1 to %d tokens, as the model's context is, found %d", ErrText, context, size)
	case stride < 1 || stride > size:
		return 0, 0, fmt.Errorf("%w: stride: want 1 to the window's %d tokens, found %d", ErrText, size, stride)
	}
	return size, stride, nil
}
