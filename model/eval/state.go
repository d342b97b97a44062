package eval

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed2fbf7788/switchyard/model"
)

// ErrState is returned for a file of trials that belongs to another sweep.
var ErrState = errors.New("trials of another sweep")

// Header is the first line of a file of trials: what a trial's score depends on beside its gate.
type Header struct {
	Format string `json:"format"`
	Model  string `json:"model_hash"`
	Text   string `json:"text_hash"` // SHA-256 of the ids
	Window int    `json:"window"`
	Stride int    `json:"stride"`
	Gate   string `json:"gate"`       // Options.Gate of the model
	How    string `json:"arithmetic"` // level, compute, quantisation
}

// maxLine bounds a line of a file of trials.
const maxLine = 1 << 20

const stateFormat = "switchyard-sweep-1"

// NewHeader describes a sweep; how says what the model's weights and arithmetic are.
func NewHeader(m *model.Model, ids []int32, o Options, how string) (Header, error) {
	size, stride, err := o.sizes(m.Context(), len(ids))
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, ids) // a hash takes everything
	return Header{stateFormat, m.Hash(), hex.EncodeToString(h.Sum(nil)), size, stride, m.GateText(), how}, err
}

// State is a file of trials, one JSON object a line behind the header, so that a sweep that was interrupted goes on.
type State struct {
	f     *os.File
	begun bool // by this sweep, and not an earlier one
	Done  map[string]Score
}

// OpenState opens a file of trials, or begins it. A last line that was cut off is dropped. Errors wrap [ErrState] where the
// file is of another sweep.
func OpenState(path string, want Header) (*State, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	s := &State{f: f, Done: map[string]Score{}}
	err = s.read(want)
	if err == nil {
		return s, nil
	}
	if s.begun {
		_ = os.Remove(path) // it holds no trial; the first error says more
	}
	var pe *os.PathError // names the file once more
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return nil, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
}

func (s *State) read(want Header) error {
	if info, err := s.f.Stat(); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, fmt.Errorf("%w: want a plain file, found a folder, device or pipe", ErrState))
	}
	in := bufio.NewReaderSize(s.f, maxLine)
	size := int64(0)
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if err == io.EOF {
			break // what was cut off, or nothing
		}
		if err == bufio.ErrBufferFull {
			return fmt.Errorf("%w: line %d: want at most %d bytes", ErrState, n+1, maxLine)
		}
		if err != nil {
			return err
		}
		if n == 0 {
			err = want.check(line)
		} else {
			err = s.trial(line, n)
		}
		if err != nil {
			return err
		}
		size += int64(len(line))
	}
	if err := s.f.Truncate(size); err != nil {
		return err
	}
	if _, err := s.f.Seek(size, io.SeekStart); err != nil || size > 0 {
		return err
	}
	s.begun = true
	return s.line(want)
}

func (want Header) check(line []byte) error {
	var h Header
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil || h.Format != stateFormat {
		return fmt.Errorf("%w: want a file of trials (%s) or a new one", ErrState, stateFormat)
	}
	for _, f := range []struct {
		name        string
		want, found any
	}{
		{"model", want.Model, h.Model}, {"text", want.Text, h.Text}, {"window", want.Window, h.Window},
		{"stride", want.Stride, h.Stride}, {"gate", want.Gate, h.Gate}, {"arithmetic", want.How, h.How},
	} {
		if f.want != f.found {
			return fmt.Errorf("%w: %s: want %v, found %v", ErrState, f.name, f.want, f.found)
		}
	}
	return nil
}

func (s *State) trial(line []byte, n int) error {
	var t Trial
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("%w: line %d: %w", ErrState, n+1, err)
	}
	s.Done[t.Gate] = t.Score
	return nil
}

// Add appends a trial and syncs.
func (s *State) Add(t Trial) error {
	s.Done[t.Gate] = t.Score
	return s.line(t)
}

func (s *State) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := s.f.Write(append(b, '\n')); err != nil {
		return err
	}
	return s.f.Sync()
}

// Close closes the file.
func (s *State) Close() error { return s.f.Close() }
