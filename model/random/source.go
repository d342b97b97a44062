package random

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
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
}

// New makes the tensors, on all cores.
func New(s Shape, o Options) (*Source, error) {
	config, err := s.config()
	if err != nil {
		return nil, err
	}
	src := &Source{shape: s, config: config}
	m := newMaker(&src.shape, o.Seed)
	plan := s.plan()
	pools := map[float64][]uint16{}
	if o.Shared {
		pools = m.pools(plan)
	}
	var jobs []job
	for i := range plan {
		p := &plan[i]
		data := m.pooled(pools, p)
		if data == nil {
			data = make([]uint16, p.elems())
			jobs = m.cut(jobs, p, data)
		}
		src.tensors = append(src.tensors, loader.Named{Name: p.name, Tensor: tensor.FromU16(data, p.shape()...)})
		src.tensors[i].Tensor.DType = tensor.BF16
	}
	inParallel(len(jobs), func(i int) { m.fill(&jobs[i]) })
	return src, nil
}

// Open opens the model that the tensors make. It may be called again and again; the models share the tensors.
func (s *Source) Open(o model.Options) (*model.Model, error) {
	c, err := loader.FromMemory(s.config, s.tensors)
	if err != nil {
		return nil, err
	}
	return model.OpenCheckpoint(c, o)
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
