package random

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
)

// Options of New; the zero value works.
type Options struct {
	Seed uint64
	// Shared makes the matrices of the layers and the head views of a pool, each at a place of its own: for weights that are
	// about to be quantised, and so copied. A model of 13.8 GB in bf16 then never exists whole. Weights that are used as they
	// are must not be shared: much of a pool stays in the caches, and the model would run faster than any real one.
	Shared bool
}

// Source holds the bf16 tensors of one shape.
type Source struct {
	shape   Shape
	config  []byte
	tensors []loader.Named
	free    func() error // of all data
}

// New makes the tensors, on all cores, in huge pages where the system grants them. Close frees them.
func New(s Shape, o Options) (*Source, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	src := &Source{shape: s, config: config}
	plan := s.plan()
	data, free, err := loader.Alloc(2 * need(plan, o.Shared))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	m := newMaker(&src.shape, o.Seed)
	m.rest, src.free = data, free
	if o.Shared {
		m.makePools(plan)
	}
	for i := range plan {
		t := m.pooled(&plan[i])
		if t == nil {
			t = m.take(&plan[i])
		}
		src.tensors = append(src.tensors, loader.Named{Name: plan[i].name, Tensor: t})
	}
	inParallel(len(m.jobs), func(i int) { m.fill(&m.jobs[i]) })
	return src, nil
}

// Open opens the model that the tensors make. It may be called again and again; the models share the tensors, and must be
// closed before the source.
func (s *Source) Open(o model.Options) (*model.Model, error) {
	c, err := loader.FromMemory(s.config, s.tensors)
	if err != nil {
		return nil, err
	}
	return model.OpenCheckpoint(c, o)
}

// Close frees the tensors.
func (s *Source) Close() error {
	s.tensors = nil
	free := s.free
	s.free = func() error { return nil }
	return free()
}

// Shape is what the tensors were made for.
func (s *Source) Shape() Shape { return s.shape }

func (p *planned) shape() []int {
	if p.cols == 0 {
		return []int{p.rows}
	}
	return []int{p.rows, p.cols}
}

// inParallel calls f for 0 to n-1 on all cores.
func inParallel(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	wg.Wait()
}
