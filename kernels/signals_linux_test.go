package kernels

import (
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// TestSignalsKeepRegisters: goroutines multiply while the collector runs and signals of a profiler and of preemption rain
// on their threads; registers and tiles come back as they were.
func TestSignalsKeepRegisters(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		const rows, n, k = 80, 64, 1100
		r := rand.New(rand.NewPCG(41, 42))
		x, src := randomMat(r, rows, k, k), randomMatrix(r, tensor.BF16, n, k)
		stop := rain(t)
		var wg sync.WaitGroup
		for i := range 4 {
			e := engine(t, level, 1)
			p := Product{Dst: tensor.NewMat(rows, n), X: x, W: packed(t, e, packedTypes[i%2], src)}
			e.MatMul(p)
			want := tensor.NewMat(rows, n)
			copy(want.Data, p.Dst.Data)
			wg.Go(func() {
				for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
					clear(p.Dst.Data)
					e.MatMul(p)
					for j, v := range p.Dst.Data {
						if v != want.Data[j] {
							t.Errorf("%v: output %d is %v, was %v", p.W.DType, j, v, want.Data[j])
							return
						}
					}
				}
			})
		}
		wg.Wait()
		stop()
	})
}

// rain sends signals and collects garbage until it is told to stop.
func rain(t *testing.T) (stop func()) {
	require.NoError(t, pprof.StartCPUProfile(io.Discard))
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(50 * time.Microsecond):
				runtime.GC()
				_ = unix.Kill(unix.Getpid(), unix.SIGURG)
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		pprof.StopCPUProfile()
	}
}
