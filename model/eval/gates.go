package eval

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
)

// ErrGates is returned for a table of gates that cannot be read.
var ErrGates = errors.New("gates cannot be tried")

// DropEach is a gate for each expert of each mixture layer, without it.
func DropEach(m *model.Model) []string {
	var out []string
	for i, v := range m.Gates(nil) {
		if v == nil || v.Spec.Slots() < 2 {
			continue
		}
		for e := range v.Spec.Slots() {
			out = append(out, fmt.Sprintf("drop=%d:%d", i, e))
		}
	}
	return out
}

// TopK reads "1-8" or "1,2,4" and gives a gate for each number of experts.
func TopK(text string) ([]string, error) {
	var out []string
	for _, part := range strings.Split(text, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && ranged {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 1 || b < a || b > 1<<16 {
			return nil, fmt.Errorf("%w: topk: want 4, 1-8 or 1,2,4, found %q", ErrGates, text)
		}
		for k := a; k <= b; k++ {
			out = append(out, "topk="+strconv.Itoa(k))
		}
	}
	return out, nil
}

// Lines reads a file of gates: one a line; empty lines and what begins with # is left out.
func Lines(text string) []string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}
