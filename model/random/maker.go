package random

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/seed2fbf7788/switchyard/tensor"
)

const (
	tableElems = 1 << 20 // of the table of normal values: 2 MiB of bf16, which stays in a second-level cache
	pieceElems = 4096    // copied from one place
	jobElems   = 1 << 20 // of one job, a multiple of pieceElems
	poolPlaces = 1 << 18 // where in a pool a tensor may begin, in steps of poolStep elements
	poolStep   = 32
	align      = 64 // bytes that a tensor begins at a multiple of

	std      = 0.02
	bf16Ones = 0x3f80
)

// maker fills tensors with values that depend on seed and name alone.
type maker struct {
	shape  *Shape
	seed   uint64
	tables map[float64][]uint16 // bf16, by standard deviation
	rest   []byte               // memory that no tensor has yet
	pools  map[kind][]byte      // nil where nothing is shared
	jobs   []job
}

// job is a part of a tensor: pieces from first on.
type job struct {
	p     *planned
	dst   []uint16
	first int
}

func newMaker(s *Shape, seed uint64) *maker {
	m := &maker{shape: s, seed: seed, tables: map[float64][]uint16{}}
	r := rand.New(rand.NewPCG(seed, tableElems))
	values := make([]float64, tableElems)
	for i := range values {
		values[i] = r.NormFloat64()
	}
	for _, k := range []kind{embed, inner, toStream} {
		t := make([]uint16, tableElems)
		for i, v := range values {
			t[i] = tensor.F32ToBF16(float32(v * m.std(k)))
		}
		m.tables[m.std(k)] = t
	}
	return m
}

// std is the standard deviation of a kind's values; see the package comment.
func (m *maker) std(k kind) float64 {
	switch {
	case k == embed && !m.shape.Tied:
		return 1
	case k == toStream:
		return std / math.Sqrt(2*float64(m.shape.Layers))
	}
	return std
}

// take makes a tensor of fresh memory and the jobs that fill it. A router is one job, for its rows are drawn in order.
func (m *maker) take(p *planned) *tensor.Tensor {
	n := 2 * p.elems()
	t := &tensor.Tensor{DType: tensor.BF16, Shape: p.shape(), Data: m.rest[:n:n]}
	m.rest = m.rest[(n+align-1)/align*align:]
	data := t.U16s()
	if p.kind == router {
		m.jobs = append(m.jobs, job{p, data, 0})
		return t
	}
	for at := 0; at < len(data); at += jobElems {
		m.jobs = append(m.jobs, job{p, data[at:min(at+jobElems, len(data))], at / pieceElems})
	}
	return t
}

func (m *maker) fill(j *job) {
	switch j.p.kind {
	case norm:
		for i := range j.dst {
			j.dst[i] = bf16Ones
		}
	case router:
		m.router(j)
	default:
		table := m.tables[m.std(j.p.kind)]
		h := m.hash(j.p.name)
		for at := 0; at < len(j.dst); at += pieceElems {
			from := mix(h+uint64(j.first+at/pieceElems)) % (tableElems - pieceElems)
			copy(j.dst[at:min(at+pieceElems, len(j.dst))], table[from:])
		}
	}
}

// router draws rows that all have the length √cols · std.
func (m *maker) router(j *job) {
	r := rand.New(rand.NewPCG(m.hash(j.p.name), m.seed))
	row := make([]float64, j.p.cols)
	for a := 0; a < len(j.dst); a += len(row) {
		sum := 0.0
		for i := range row {
			row[i] = r.NormFloat64()
			sum += row[i] * row[i]
		}
		scale := std * math.Sqrt(float64(len(row))/sum)
		for i, v := range row {
			j.dst[a+i] = tensor.F32ToBF16(float32(v * scale))
		}
	}
}

// inPool says whether a tensor is quantised later, and so may be part of a pool.
func (p *planned) inPool() bool { return p.kind == inner || p.kind == toStream }

// poolPlans are the pools of a shape, one for each kind of matrix, with room for the largest of the kind at any place.
func poolPlans(plan []planned) []planned {
	size := map[kind]int{}
	for i := range plan {
		if p := &plan[i]; p.inPool() {
			size[p.kind] = max(size[p.kind], p.elems()+poolPlaces*poolStep)
		}
	}
	return []planned{{"pool", inner, size[inner], 0}, {"pool", toStream, size[toStream], 0}}
}

// need is how many elements the tensors take, pools in place of what is part of them.
func need(plan []planned, shared bool) int {
	n := 0
	for i := range plan {
		if !shared || !plan[i].inPool() {
			n += plan[i].elems() + align
		}
	}
	if shared {
		for _, p := range poolPlans(plan) {
			n += p.elems() + align
		}
	}
	return n
}

func (m *maker) makePools(plan []planned) {
	m.pools = map[kind][]byte{}
	for _, p := range poolPlans(plan) {
		m.pools[p.kind] = m.take(&p).Data
	}
}

// pooled is the tensor's part of a pool, or nil where it has none.
func (m *maker) pooled(p *planned) *tensor.Tensor {
	if !p.inPool() || m.pools == nil {
		return nil
	}
	at := 2 * poolStep * int(m.hash(p.name)%poolPlaces)
	return &tensor.Tensor{DType: tensor.BF16, Shape: p.shape(), Data: m.pools[p.kind][at : at+2*p.elems()]}
}

func (m *maker) hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return mix(h.Sum64() ^ mix(m.seed))
}

// mix is the finaliser of splitmix64 (Steele, Lea & Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
