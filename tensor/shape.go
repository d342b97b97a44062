package tensor

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrShape is returned when dimensions are negative or their product does not fit.
var ErrShape = errors.New("bad shape")

// Shape lists dimensions, outermost first. An empty shape is a scalar with one element.
type Shape []int

// Elems is the number of elements. It fails on a negative dimension and where the product overflows an int.
func (s Shape) Elems() (int, error) {
	n := 1
	for _, d := range s {
		if d < 0 {
			return 0, fmt.Errorf("%w %v: negative dimension", ErrShape, s)
		}
		if d != 0 && n > math.MaxInt/d {
			return 0, fmt.Errorf("%w %v: too many elements", ErrShape, s)
		}
		n *= d
	}
	return n, nil
}

// Bytes is the number of bytes that a tensor of this shape and dtype takes.
func (s Shape) Bytes(d DType) (int, error) {
	n, err := s.Elems()
	if err != nil {
		return 0, err
	}
	if size := d.Size(); size != 0 && n > math.MaxInt/size {
		return 0, fmt.Errorf("%w %v of %v: too many bytes", ErrShape, s, d)
	}
	return n * d.Size(), nil
}

// Equal says whether both shapes have the same dimensions.
func (s Shape) Equal(o Shape) bool { return slices.Equal(s, o) }

// String prints the shape as [2 3 4].
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, " ") + "]"
}
