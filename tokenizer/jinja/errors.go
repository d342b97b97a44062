package jinja

import "fmt"

// Error is a template that does not parse or a failure while it runs. Error() is the message that Jinja or
// Python gives.
type Error struct {
	Kind    string // Python's class of exception, such as UndefinedError
	Message string
	Line    int  // of a syntax error, else 0
	Raised  bool // the template called raise_exception
}

func (e *Error) Error() string { return e.Message }

func errorf(kind, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func typeErrorf(format string, args ...any) error { return errorf("TypeError", format, args...) }
