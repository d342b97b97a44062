package moe

import (
	"fmt"
	"sync"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// topkJob selects for many tokens in parallel; each token's result is its own.
type topkJob struct {
	s      *TopK
	dst    *Routing
	logits tensor.Mat

	mu     sync.Mutex
	failed int // lowest token that failed, or -1
	err    error
}

func (j *topkJob) run(c Call) error {
	c.Engine.Run((j.logits.Rows+selectTile-1)/selectTile, j)
	if j.err != nil {
		return fmt.Errorf("layer %d token %d %w", c.Layer, j.failed, j.err)
	}
	return nil
}

// Do implements kernels.Job.
func (j *topkJob) Do(worker, chunk int) {
	for t := chunk * selectTile; t < min((chunk+1)*selectTile, j.logits.Rows); t++ {
		if err := j.s.row(&j.s.work[worker], j.dst, j.logits.Row(t), t); err != nil {
			j.fail(t, err)
			return
		}
	}
}

func (j *topkJob) fail(t int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed < 0 || t < j.failed {
		j.failed, j.err = t, err
	}
}
