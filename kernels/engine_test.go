package kernels

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// engine starts an engine that the test closes.
func engine(t testing.TB, level string, threads int) *Engine {
	t.Helper()
	e, err := New(Options{Level: level, Threads: threads})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// eachLevel runs a test on every level of this CPU.
func eachLevel(t *testing.T, f func(t *testing.T, level string)) {
	for _, l := range Levels() {
		t.Run(l, func(t *testing.T) { f(t, l) })
	}
}

type jobFunc func(worker, chunk int)

func (f jobFunc) Do(worker, chunk int) { f(worker, chunk) }

func TestRunDoesEveryChunkOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		e := engine(t, "generic", threads)
		for round := range 300 {
			n := round % 41
			seen := make([]int32, n)
			e.Run(n, jobFunc(func(w, c int) {
				if w < 0 || w >= threads {
					t.Errorf("worker %d of %d", w, threads)
				}
				atomic.AddInt32(&seen[c], 1)
			}))
			for c, s := range seen {
				require.EqualValues(t, 1, s, "chunk %d of %d", c, n)
			}
		}
	}
}

func TestRunAfterWorkersParked(t *testing.T) {
	e := engine(t, "generic", 3)
	for range 20 {
		time.Sleep(3 * spinFor / 2)
		var n atomic.Int64
		e.Run(7, jobFunc(func(_, c int) { n.Add(int64(c)) }))
		require.EqualValues(t, 21, n.Load())
	}
}

func TestRunPanics(t *testing.T) {
	for _, threads := range []int{1, 3} {
		e := engine(t, "generic", threads)
		for c := range 5 {
			func() {
				defer func() {
					p, ok := recover().(*ChunkPanic)
					require.True(t, ok)
					require.Equal(t, "boom", p.Value)
					require.Contains(t, p.Error(), "boom")
				}()
				e.Run(5, jobFunc(func(_, i int) {
					if i == c {
						panic("boom")
					}
				}))
			}()
		}
		var n atomic.Int64
		e.Run(5, jobFunc(func(_, c int) { n.Add(1) }))
		require.EqualValues(t, 5, n.Load(), "the engine works after a panic")
	}
}

func TestRunInsideRunPanics(t *testing.T) {
	e := engine(t, "generic", 1)
	require.Panics(t, func() { e.Run(1, jobFunc(func(_, _ int) { e.Run(1, jobFunc(func(_, _ int) {})) })) })
}

func TestCloseStopsWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		e, err := New(Options{Threads: 4})
		require.NoError(t, err)
		e.Run(9, jobFunc(func(_, _ int) {}))
		e.Close()
		e.Close()
	}
	for range 1000 { // a worker that has said that it stops may not be gone yet
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

type nothing struct{}

func (*nothing) Do(_, _ int) {}

func TestRunAllocatesNothing(t *testing.T) {
	e := engine(t, "generic", 2)
	j := &nothing{}
	require.Zero(t, testing.AllocsPerRun(200, func() { e.Run(16, j) }))
}

// TestRequiredLevel makes a machine that should have a level fail where it is not found, instead of skipping its tests.
func TestRequiredLevel(t *testing.T) {
	if want := os.Getenv("SWITCHYARD_REQUIRE_LEVEL"); want != "" {
		require.Contains(t, Levels(), want)
	}
}

func TestLevels(t *testing.T) {
	require.Equal(t, "generic", Levels()[0])
	for _, l := range Levels() {
		e := engine(t, l, 1)
		require.Equal(t, l, e.Level())
		require.Equal(t, 1, e.Threads())
	}
	_, err := New(Options{Level: "fast"})
	require.ErrorContains(t, err, `unknown level "fast", available: generic`)
	_, err = New(Options{Threads: -1})
	require.ErrorContains(t, err, "-1 threads")
}

func TestLevelFromEnv(t *testing.T) {
	t.Setenv(EnvLevel, "")
	l, err := LevelFromEnv()
	require.NoError(t, err)
	require.Empty(t, l)
	best := Levels()[len(Levels())-1]
	t.Setenv(EnvLevel, allLevels[len(allLevels)-1])
	l, err = LevelFromEnv()
	require.NoError(t, err)
	require.Equal(t, best, l, "never a higher level")
	t.Setenv(EnvLevel, "fast")
	_, err = LevelFromEnv()
	require.ErrorContains(t, err, "fast")
}
