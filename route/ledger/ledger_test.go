package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/price"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string, c clock.Clock) *ledger.Ledger {
	l, err := ledger.Open(path, ledger.Options{Clock: c})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func here(saved price.Money) ledger.Entry {
	return ledger.Entry{Model: "small", Decision: "local", Reason: "below_threshold", Usage: price.Usage{In: 10, Out: 5}, Saved: saved}
}

func elsewhere(cost price.Money) ledger.Entry {
	return ledger.Entry{Model: "big", Decision: "escalated", Reason: "above_threshold", Usage: price.Usage{In: 20, Out: 9}, Cost: cost}
}

func TestSums(t *testing.T) {
	c := clock.NewFake(noon)
	l := open(t, "", c)
	require.NoError(t, l.Add(here(7)))
	require.NoError(t, l.Add(elsewhere(11)))
	c.Advance(24 * time.Hour)
	require.NoError(t, l.Add(here(3)))
	broken := elsewhere(5)
	broken.Failed, broken.Bound = "broken_stream", true
	require.NoError(t, l.Add(broken))
	s := l.Snapshot()
	require.Equal(t, ledger.Sums{Requests: 4, Failed: 1, Usage: price.Usage{In: 60, Out: 28}, Cost: 16, Saved: 10}, s.Total)
	require.Equal(t, ledger.Sums{Requests: 2, Failed: 1, Usage: price.Usage{In: 30, Out: 14}, Cost: 5, Saved: 3}, s.Today)
	require.Equal(t, "2026-11-26", s.Date)
	require.Equal(t, ledger.Sums{Requests: 2, Usage: price.Usage{In: 20, Out: 10}, Saved: 10}, s.Models["small"]["local"])
	c.Advance(24 * time.Hour)
	require.Zero(t, l.Snapshot().Today, "a new day has begun though nothing was entered")
	s.Models["small"]["local"] = ledger.Sums{}
	require.NotZero(t, l.Snapshot().Models["small"]["local"], "a snapshot is a copy")
}

func TestEntriesThatCannotBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := open(t, path, nil)
	prompt := strings.Repeat("text of a prompt ", 50)
	for _, e := range []ledger.Entry{{}, {Model: "a"}, {Decision: "a"}, {Model: "a", Decision: "b", Cost: -1}, {Model: "a", Decision: "b", Usage: price.Usage{Out: -1}}, {Model: prompt, Decision: "b"}, {Model: "a", Decision: "b", Reason: prompt}} {
		require.ErrorIs(t, l.Add(e), ledger.ErrEntry)
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, data)
	require.Zero(t, l.Snapshot().Total)
}

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	c := clock.NewFake(noon)
	var want ledger.Snapshot
	for run := range 3 {
		l := open(t, path, c)
		if run > 0 {
			require.Equal(t, want, l.Snapshot())
		}
		for range 10 {
			require.NoError(t, l.Add(here(7)))
			require.NoError(t, l.Add(elsewhere(11)))
		}
		want = l.Snapshot()
		require.NoError(t, l.Close())
		c.Advance(time.Minute)
	}
	require.EqualValues(t, 60, want.Total.Requests)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, 60, bytes.Count(data, []byte("\n")))
	for line := range bytes.Lines(data) {
		require.True(t, json.Valid(line))
	}
}

// Wherever a crash tears the last line, the sums of the whole lines come back and the next entry stands on a line of its own.
func TestTornLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := open(t, path, clock.NewFake(noon))
	require.NoError(t, l.Add(here(7)))
	one := l.Snapshot()
	require.NoError(t, l.Add(elsewhere(11)))
	two := l.Snapshot()
	l.Close()
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	first := bytes.IndexByte(whole, '\n') + 1
	for cut := first; cut <= len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		l := open(t, path, clock.NewFake(noon))
		got := l.Snapshot()
		switch {
		case cut == first:
			require.Equal(t, one, got)
		case cut >= len(whole)-1:
			require.Equal(t, two, got, "a line that lacks its end alone is whole")
		default:
			require.EqualValues(t, 1, got.Skipped)
			got.Skipped = 0
			require.Equal(t, one, got)
		}
		require.NoError(t, l.Add(here(1)))
		l.Close()
		again := open(t, path, clock.NewFake(noon))
		require.Equal(t, l.Snapshot(), again.Snapshot())
		again.Close()
	}
}

func TestHostileFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	good := `{"time":"2026-11-25T12:00:00Z","model":"a","decision":"local","usage":{"in":1,"out":2},"cost":0,"saved":0.5}`
	bad := []string{"", "null", "[]", "{}", `{"model":1}`, strings.Repeat("x", 3<<20), "\x00\xff", `{"model":"a","decision":"b","cost":-1}`, `{"model":"a","decision":"b","cost":1e99}`, strings.Repeat("[", 100_000)}
	require.NoError(t, os.WriteFile(path, []byte(good+"\n"+strings.Join(bad, "\n")+"\n"+good+"\n"), 0o600))
	s := open(t, path, clock.NewFake(noon)).Snapshot()
	require.EqualValues(t, 2, s.Total.Requests)
	require.Equal(t, price.One, s.Total.Saved)
	require.EqualValues(t, len(bad)-1, s.Skipped)
	_, err := ledger.Open(t.TempDir(), ledger.Options{})
	require.Error(t, err)
	_, err = ledger.Open(filepath.Join(t.TempDir(), "none", "x"), ledger.Options{})
	require.Error(t, err)
}

func TestRotation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be moved there")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger.jsonl")
	l := open(t, path, clock.NewFake(noon))
	for range 3 {
		require.NoError(t, l.Add(here(7)))
	}
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Add(elsewhere(11))) // noticed without a signal
	require.NoError(t, l.Add(here(7)))
	require.NoError(t, os.Rename(path, path+".2"))
	require.NoError(t, l.Reopen())
	require.NoError(t, l.Reopen())
	require.NoError(t, l.Add(here(7)))
	want := l.Snapshot()
	require.EqualValues(t, 6, want.Total.Requests)
	l.Close()
	again := open(t, path, clock.NewFake(noon))
	require.Equal(t, want, again.Snapshot(), "the newest file alone has all sums")
	old, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	require.Equal(t, 3, bytes.Count(old, []byte("\n")))
	require.NoError(t, os.Remove(path))
	require.NoError(t, again.Add(here(1)))
	require.FileExists(t, path)
}

func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l := open(t, path, nil)
	var clients sync.WaitGroup
	for n := range 32 {
		clients.Go(func() {
			for range 50 {
				e := here(1)
				e.Model = fmt.Sprint("m", n%4)
				if err := l.Add(e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	require.EqualValues(t, 1600, l.Snapshot().Total.Requests)
	l.Close()
	require.Equal(t, l.Snapshot().Models, open(t, path, nil).Snapshot().Models)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"model":"a","decision":"local"}`))
	f.Add([]byte(`{"sums":{"total":{"requests":3},"models":{"a":{"b":{}}}}}` + "\n" + `{"model":"a","decision":"b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "l")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		l, err := ledger.Open(path, ledger.Options{})
		require.NoError(t, err)
		before := l.Snapshot()
		require.NoError(t, l.Add(here(1)))
		require.Equal(t, before.Total.Requests+1, l.Snapshot().Total.Requests)
		want := l.Snapshot()
		l.Close()
		l, err = ledger.Open(path, ledger.Options{})
		require.NoError(t, err)
		require.Equal(t, want.Total, l.Snapshot().Total)
		l.Close()
	})
}
