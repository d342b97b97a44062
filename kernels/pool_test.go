package kernels

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// spinJob is chunks that each take about so many multiply-add rounds.
type spinJob struct {
	rounds int
	_      [56]byte
	sink   [64][16]float32
}

func (j *spinJob) Do(worker, _ int) {
	var acc [8]float32
	w := [8]float32{tiny, tiny, tiny, tiny, tiny, tiny, tiny, tiny}
	for range j.rounds {
		dotLanes(&acc, w[:], w[:])
	}
	j.sink[worker][0] = acc[0]
}

// BenchmarkRegion is the time of a parallel region of 16 chunks by how long its work takes one thread. "serial" is that
// work alone, "p99" the 99th percentile. Beside a busy process (`yes >/dev/null &` on one of two cores) the caller goes on
// alone: the mean should stay below the serial time and p99 within some milliseconds of it, a time slice of the scheduler.
func BenchmarkRegion(b *testing.B) {
	const chunks = 16
	for _, threads := range []int{1, 2} {
		for _, micros := range []int{0, 17, 171} {
			b.Run(fmt.Sprintf("threads=%d/work=%dµs", threads, micros), func(b *testing.B) {
				e, j := engine(b, "generic", threads), &spinJob{}
				one := func(rounds int) time.Duration {
					j.rounds = rounds
					best := time.Hour
					for range 20 {
						start := time.Now()
						j.Do(0, 0)
						best = min(best, time.Since(start))
					}
					return best
				}
				if micros > 0 {
					j.rounds = int(float64(1000*micros/chunks) / (float64(one(10000).Nanoseconds()) / 10000))
				}
				serial := one(j.rounds) * chunks
				var times []time.Duration
				for b.Loop() {
					start := time.Now()
					e.Run(chunks, j)
					times = append(times, time.Since(start))
				}
				slices.Sort(times)
				b.ReportMetric(float64(serial.Nanoseconds()), "serial-ns")
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "median-ns")
				b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
			})
		}
	}
}
