package tokenizer

import (
	"errors"
	"fmt"
)

var (
	// ErrNotTokenizer is returned when the bytes are not a tokenizer.json: broken JSON, a field of the wrong
	// type, a missing field or values that contradict each other.
	ErrNotTokenizer = errors.New("not a tokenizer.json")
	// ErrUnsupported is returned when a component or option is named that this package does not implement.
	// Nothing is ever approximated.
	ErrUnsupported = errors.New("unsupported tokenizer component")
	// ErrEncode is returned when a text cannot be encoded with this vocabulary, for example when a piece is
	// unknown and the model has no token for the unknown.
	ErrEncode = errors.New("text cannot be encoded")
)

func badf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrNotTokenizer, fmt.Sprintf(format, args...))
}

func unsupportedf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func encodef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEncode, fmt.Sprintf(format, args...))
}
