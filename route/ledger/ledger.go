// Package ledger keeps account of requests: tokens, cost, and what was saved by answering here what a bigger model would have
// answered for money. It holds no text.
//
// The account is a file of JSON lines that only grows, an [Entry] a line, and sums in memory. Opening the file again reads
// the sums back. A file that was moved away (log rotation) is noticed at the next entry and begun anew, with a line of sums first, so that
// the newest file alone has them all. A line that was torn by a crash is passed over and counted.
package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// ErrEntry is returned for an entry that cannot be.
var ErrEntry = errors.New("ledger entry")

// Entry is one request.
type Entry struct {
	Time     time.Time   `json:"time"` // zero: now
	Model    string      `json:"model"`
	Decision string      `json:"decision"` // such as local, escalated, fallback
	Reason   string      `json:"reason,omitempty"`
	Usage    price.Usage `json:"usage"`
	Bound    bool        `json:"bound,omitempty"` // the upstream did not say the usage: Cost is the most that it can be
	Cost     price.Money `json:"cost"`
	Saved    price.Money `json:"saved"`
	Failed   string      `json:"failed,omitempty"` // what went wrong, from a closed list
}

// Sums of entries.
type Sums struct {
	Requests int64       `json:"requests"`
	Failed   int64       `json:"failed"`
	Usage    price.Usage `json:"usage"`
	Cost     price.Money `json:"cost"`
	Saved    price.Money `json:"saved"`
}

func (s *Sums) add(e *Entry) {
	s.Requests++
	if e.Failed != "" {
		s.Failed++
	}
	s.Usage = s.Usage.Plus(e.Usage)
	s.Cost, s.Saved = s.Cost.Plus(e.Cost), s.Saved.Plus(e.Saved)
}

// Snapshot is all that the ledger has summed.
type Snapshot struct {
	Total  Sums                       `json:"total"`
	Today  Sums                       `json:"today"` // of Date
	Date   string                     `json:"date"`  // in UTC
	Models map[string]map[string]Sums `json:"models"`
	// Skipped lines were no entries, such as a torn last one.
	Skipped int64 `json:"skipped,omitempty"`
}

// Options of Open.
type Options struct {
	Clock clock.Clock // nil: the machine's
}

// Ledger is safe for concurrent use.
type Ledger struct {
	mu    sync.Mutex
	clock clock.Clock
	path  string // empty: memory alone
	file  *os.File
	torn  bool // the file does not end with a line's end
	sums  Snapshot
}

// Open opens a ledger and reads its sums back; the file is made where there is none. Without a path it is kept in memory.
func Open(path string, o Options) (*Ledger, error) {
	l := &Ledger{clock: clock.Or(o.Clock), path: path, sums: Snapshot{Models: map[string]map[string]Sums{}}}
	if path == "" {
		return l, nil
	}
	if err := l.open(); err != nil {
		return nil, err
	}
	if err := l.read(); err != nil {
		l.file.Close()
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return l, nil
}

func (l *Ledger) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", l.path)
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("opening the ledger: %w", err)
	}
	l.file, l.torn = f, false
	return nil
}

// line is what a line of the file holds: an entry, or the sums of the files before.
type line struct {
	Entry
	Sums *Snapshot `json:"sums"`
}

const maxLine = 1 << 20

// read sums up the file.
func (l *Ledger) read() error {
	in := bufio.NewReaderSize(l.file, 1<<16)
	for {
		data, whole, err := readLine(in)
		if len(bytes.TrimSpace(data)) > 0 || !whole {
			l.readEntry(data, whole) // a last line that lacks nothing but its end is one
		}
		if err == io.EOF {
			l.torn = len(data) > 0
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads to the end of a line; of one that is too long only the beginning is kept, and it is not whole.
func readLine(in *bufio.Reader) (data []byte, whole bool, err error) {
	whole = true
	for {
		part, err := in.ReadSlice('\n')
		if len(data)+len(part) > maxLine {
			whole = false
			part = part[:min(len(part), max(maxLine-len(data), 0))]
		}
		data = append(data, part...)
		if err != bufio.ErrBufferFull {
			return data, whole, err
		}
	}
}

func (l *Ledger) readEntry(data []byte, whole bool) {
	var v line
	if !whole || json.Unmarshal(data, &v) != nil || v.Sums == nil && v.check() != nil {
		l.sums.Skipped++
		return
	}
	if v.Sums == nil {
		l.sum(&v.Entry)
		return
	}
	skipped := l.sums.Skipped
	l.sums = *v.Sums
	l.sums.Skipped += skipped
	if l.sums.Models == nil {
		l.sums.Models = map[string]map[string]Sums{}
	}
}

// maxName is the longest model, decision or reason, in bytes: they are names from a configuration, not text.
const maxName = 128

func (e *Entry) check() error {
	for _, f := range []struct{ name, value string }{{"model", e.Model}, {"decision", e.Decision}, {"reason", e.Reason}, {"failed", e.Failed}} {
		if len(f.value) > maxName {
			return fmt.Errorf("%w: %s has %d bytes, want at most %d", ErrEntry, f.name, len(f.value), maxName)
		}
	}
	if e.Model == "" || e.Decision == "" {
		return fmt.Errorf("%w: want a model and a decision", ErrEntry)
	}
	if e.Usage.In < 0 || e.Usage.Out < 0 || e.Cost < 0 || e.Saved < 0 {
		return fmt.Errorf("%w: negative tokens or money", ErrEntry)
	}
	return nil
}

// sum adds an entry to the sums.
func (l *Ledger) sum(e *Entry) {
	date := e.Time.UTC().Format(time.DateOnly)
	if date > l.sums.Date {
		l.sums.Date, l.sums.Today = date, Sums{}
	}
	if date == l.sums.Date {
		l.sums.Today.add(e)
	}
	l.sums.Total.add(e)
	of := l.sums.Models[e.Model]
	if of == nil {
		of = map[string]Sums{}
		l.sums.Models[e.Model] = of
	}
	s := of[e.Decision]
	s.add(e)
	of[e.Decision] = s
}

// Add enters a request. It counts in the sums even where writing it fails.
func (l *Ledger) Add(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = l.clock.Now()
	}
	e.Time = e.Time.UTC()
	l.sum(&e)
	if l.path == "" {
		return nil
	}
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	fresh, err := l.follow()
	if err != nil || fresh { // a fresh file begins with sums, in which e is
		return err
	}
	return l.write(data)
}

// follow opens the file anew where the path leads to another one, and says whether it did.
func (l *Ledger) follow() (fresh bool, err error) {
	if l.file != nil {
		mine, err := l.file.Stat()
		if err == nil {
			if there, err := os.Stat(l.path); err == nil && os.SameFile(mine, there) {
				return false, nil
			}
		}
		l.file.Close()
		l.file = nil
	}
	if err := l.open(); err != nil {
		return true, err
	}
	data, err := json.Marshal(map[string]any{"sums": &l.sums})
	if err != nil {
		return true, err
	}
	return true, l.write(data)
}

// write appends a line in one call.
func (l *Ledger) write(data []byte) error {
	data = append(data, '\n')
	if l.torn {
		data = append([]byte{'\n'}, data...)
	}
	n, err := l.file.Write(data)
	if err != nil {
		l.torn = n > 0 || l.torn
		return fmt.Errorf("writing the ledger: %w", err)
	}
	l.torn = false
	return nil
}

// Reopen opens the file anew, as after a signal of log rotation, where the path leads to another one.
func (l *Ledger) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return nil
	}
	_, err := l.follow()
	return err
}

// Snapshot is a copy of the sums.
func (l *Ledger) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sums
	if today := l.clock.Now().UTC().Format(time.DateOnly); today > s.Date {
		s.Date, s.Today = today, Sums{}
	}
	s.Models = make(map[string]map[string]Sums, len(l.sums.Models))
	for model, decisions := range l.sums.Models {
		s.Models[model] = make(map[string]Sums, len(decisions))
		for d, sums := range decisions {
			s.Models[model][d] = sums
		}
	}
	return s
}

// Close closes the file.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
