package loader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Sentinels for errors.Is. Every fault of this package unwraps to one of them, and to the operating system's error
// (fs.ErrNotExist, fs.ErrPermission, …) where that was the reason.
var (
	// ErrNotModel is returned when a folder holds no checkpoint that can be opened.
	ErrNotModel = errors.New("not a model folder")
	// ErrHeader is returned when the header of a safetensors file is broken or disagrees with the file.
	ErrHeader = errors.New("bad safetensors header")
	// ErrIndex is returned when model.safetensors.index.json is broken or disagrees with its shards.
	ErrIndex = errors.New("bad safetensors index")
	// ErrConfig is returned when a JSON configuration file is broken or one of its values is.
	ErrConfig = errors.New("bad config")
	// ErrMissing is returned when a tensor that the model needs is in no file.
	ErrMissing = errors.New("missing tensor")
	// ErrShape is returned when a tensor has another shape than the model needs.
	ErrShape = errors.New("misshaped tensor")
	// ErrDType is returned when a tensor has a dtype that the model cannot use.
	ErrDType = errors.New("wrong dtype")
	// ErrUnclaimed is returned when a file holds a tensor that the model does not use.
	ErrUnclaimed = errors.New("unclaimed tensor")
	// ErrLayout is returned when the expert tensors of a layer follow no known layout, or several.
	ErrLayout = errors.New("bad expert layout")
	// ErrTensor is returned when a tensor handed to Write is no valid tensor.
	ErrTensor = errors.New("bad tensor")
)

// Fault is one thing that is wrong: where, what was wanted and what was found.
type Fault struct {
	Kind  error  // a sentinel of this package
	File  string // the file, or the folder
	Field string // key path, tensor name or byte range inside it; may be empty
	Want  string // what would have been right; may be empty
	Found string // what is there
	Err   error  // the error of the operating system; may be nil
}

// Error is one line: "FILE: FIELD: want WANT, found FOUND".
func (f *Fault) Error() string {
	var s strings.Builder
	for _, part := range []string{f.File, f.Field} {
		if part != "" {
			s.WriteString(clean(part) + ": ")
		}
	}
	found := clean(f.Found)
	if f.Err != nil {
		found = clean(f.Err.Error())
	}
	if f.Want == "" {
		return s.String() + found
	}
	return s.String() + "want " + escape(f.Want) + ", found " + found
}

// Unwrap gives the sentinel and the cause.
func (f *Fault) Unwrap() []error {
	if f.Err == nil {
		return []error{f.Kind}
	}
	return []error{f.Kind, f.Err}
}

// Faults is every fault of one load, as an error.
type Faults []*Fault

// shownFaults is how many faults the one-line message spells out.
const shownFaults = 4

// Error is one line: the first faults, then how many more there are. [Faults.Lines] has them all.
func (f Faults) Error() string {
	lines := f.Lines()
	if n := len(lines) - shownFaults; n > 1 {
		lines = append(lines[:shownFaults], fmt.Sprintf("… and %d more", n))
	}
	return strings.Join(lines, "; ")
}

// Lines gives every fault as one line each, in order.
func (f Faults) Lines() []string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return lines
}

// Unwrap gives the faults one by one, for errors.Is and errors.As.
func (f Faults) Unwrap() []error {
	list := make([]error, len(f))
	for i, one := range f {
		list[i] = one
	}
	return list
}

// err is nil where there is no fault, the fault alone where there is one.
func (f Faults) err() error {
	switch len(f) {
	case 0:
		return nil
	case 1:
		return f[0]
	}
	return f
}

// clean keeps hostile names and values from breaking a one-line message: long ones are cut, odd runes escaped.
func clean(s string) string {
	const most = 300
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return escape(s)
}

// escape leaves no rune in s that does not print.
func escape(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
