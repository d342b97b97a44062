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

	std      = 0.02
	bf16Ones = 0x3f80
)

// maker fills tensors with values that depend on seed and name alone.
type maker struct {
	shape  *Shape
	seed   uint64
	tables map[float64][]uint16 // bf16, by standard deviation
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

// cut appends the jobs that fill a tensor. A router is one job, for its rows are drawn in order.
func (m *maker) cut(list []job, p *planned, data []uint16) []job {
	if p.kind == router {
		return append(list, job{p, data, 0})
	}
	for at := 0; at < len(data); at += jobElems {
		list = append(list, job{p, data[at:min(at+jobElems, len(data))], at / pieceElems})
	}
	return list
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

// pools makes a pool for each standard deviation among the matrices that are quantised, with room for the largest of them.
func (m *maker) pools(plan []planned) map[float64][]uint16 {
	size := map[float64]int{}
	for i := range plan {
		if p := &plan[i]; p.kind == inner || p.kind == toStream {
			size[m.std(p.kind)] = max(size[m.std(p.kind)], p.elems()+poolPlaces*poolStep)
		}
	}
	pools := map[float64][]uint16{}
	var jobs []job
	for _, k := range []kind{inner, toStream} {
		pool := make([]uint16, size[m.std(k)])
		pools[m.std(k)] = pool
		jobs = m.cut(jobs, &planned{name: "pool", kind: k}, pool)
	}
	inParallel(len(jobs), func(i int) { m.fill(&jobs[i]) })
	return pools
}

// pooled is the tensor's part of a pool, or nil where it has none.
func (m *maker) pooled(pools map[float64][]uint16, p *planned) []uint16 {
	pool := pools[m.std(p.kind)]
	if pool == nil || p.kind != inner && p.kind != toStream {
		return nil
	}
	at := int(m.hash(p.name)%poolPlaces) * poolStep
	return pool[at : at+p.elems() : at+p.elems()]
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
