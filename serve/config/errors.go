package config

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with a file.
type Fault struct {
	File        string
	Line        int // 0: of no line in particular
	Field       string
	Want, Found string
}

func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	b.WriteString(": ")
	if f.Field != "" {
		b.WriteString(f.Field + ": ")
	}
	fmt.Fprintf(&b, "want %s, found %s", f.Want, f.Found)
	return b.String()
}

// Faults are all that is wrong with a file, in the order of its lines; as an error they stand a line each.
type Faults []Fault

func (f Faults) Error() string {
	var lines []string
	for _, one := range f[:min(len(f), maxTold)] {
		lines = append(lines, one.Error())
	}
	if more := len(f) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more", f[0].File, more))
	}
	return strings.Join(lines, "\n")
}

const maxTold = 100

// Pos is where a part of the file stands, so that later steps can name it in their errors.
type Pos struct {
	File  string
	Line  int
	Field string
}

// Fault is a fault of that place.
func (p Pos) Fault(want, found string) Fault { return Fault{p.File, p.Line, p.Field, want, found} }

// Wrap puts the place before an error.
func (p Pos) Wrap(err error) error { return fmt.Errorf("%s:%d: %s: %w", p.File, p.Line, p.Field, err) }

// At is the place of a member of what stands here; its line is that of the whole.
func (p Pos) At(member string) Pos { return Pos{p.File, p.Line, p.Field + "." + member} }

func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int { return a.Line - b.Line })
	return f
}

// clip bounds what of a file an error repeats.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
}
