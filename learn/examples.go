package learn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/loader"
)

// maxLine bounds a line of training data.
const maxLine = 4 << 20

// ReadLines reads JSON objects, one a line, into values of one type; blank lines are passed over. Errors wrap [ErrData] and
// name the line: no object, a wrong type, bytes that are not UTF-8, a key twice, a line of over 4 MiB, no line at all.
func ReadLines[T any](r io.Reader) ([]T, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	var out []T
	for n := 1; ; n++ {
		line, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(line) > 0 {
			var v T
			if bad := decodeLine(line, &v); bad != nil {
				return nil, fmt.Errorf("%w: line %d: %w", ErrData, n, bad)
			}
			out = append(out, v)
		}
		if err != nil {
			break
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: it has no lines", ErrData)
	}
	return out, nil
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("%w: want at most %d bytes", ErrData, maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

func decodeLine(line []byte, v any) error {
	if !utf8.Valid(line) {
		return errors.New("want UTF-8")
	}
	if _, err := loader.ParseFields("", line); err != nil { // a key twice, which encoding/json would pass over
		return errors.New("want an object whose keys are there once")
	}
	return json.Unmarshal(line, v)
}
