package engine

import (
	"sync"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// watcher is the observer of one step: it counts the experts' load and keeps the routing of the jobs that ask for it.
type watcher struct {
	e    *Engine
	plan []share
}

// ObserveRouting implements moe.Observer. Tokens stand in the order of the plan.
func (w *watcher) ObserveRouting(layer int, r *moe.Routing) {
	w.e.loads.add(layer, r)
	at := 0
	for _, s := range w.plan {
		if s.job.routing != nil {
			s.job.routing.add(layer, r, at, at+s.n)
		}
		at += s.n
	}
}

// loads counts the pairs of every expert.
type loads struct {
	mu    sync.Mutex
	layer map[int]*moe.Load
}

func newLoads(spec *model.Spec) *loads {
	l := &loads{layer: map[int]*moe.Load{}}
	for _, i := range spec.MoELayers() {
		l.layer[i] = &moe.Load{}
	}
	return l
}

func (l *loads) add(layer int, r *moe.Routing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.layer[layer]; c != nil {
		c.Add(r)
	}
}

// Load is how many (token, slot) pairs each expert of each mixture layer has had, by layer.
func (e *Engine) Load() map[int][]int64 {
	e.loads.mu.Lock()
	defer e.loads.mu.Unlock()
	out := map[int][]int64{}
	for i, c := range e.loads.layer {
		out[i] = append([]int64(nil), c.Count...)
	}
	return out
}

// routingLog keeps the experts of one job's tokens.
type routingLog struct {
	mu     sync.Mutex
	place  map[int]int // layer → row of layers
	layers []layerLog
}

type layerLog struct {
	start  []int32 // [T+1]
	expert []int32
}

func newRoutingLog(spec *model.Spec) *routingLog {
	g := &routingLog{place: map[int]int{}}
	for row, layer := range spec.MoELayers() {
		g.place[layer] = row
	}
	g.layers = make([]layerLog, len(g.place))
	g.reset()
	return g
}

// reset forgets everything: the job is computed again.
func (g *routingLog) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.layers {
		g.layers[i] = layerLog{start: []int32{0}}
	}
}

// truncate forgets the tokens from n on.
func (g *routingLog) truncate(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.layers {
		if l := &g.layers[i]; len(l.start)-1 > n {
			l.start = l.start[:n+1]
			l.expert = l.expert[:l.start[n]]
		}
	}
}

// add takes tokens [a,b) of a routing.
func (g *routingLog) add(layer int, r *moe.Routing, a, b int) {
	row, ok := g.place[layer]
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := &g.layers[row]
	for t := a; t < b; t++ {
		ids, _ := r.Of(t)
		l.expert = append(l.expert, ids...)
		l.start = append(l.start, int32(len(l.expert)))
	}
}

// Tail gives the experts of the tokens from n on, layer by layer, for who watches a job at work: counts of each expert id.
func (g *routingLog) tail(n int) (counts []map[int32]int, tokens int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.layers {
		c := map[int32]int{}
		tokens = len(l.start) - 1
		for _, id := range l.expert[l.start[min(n, tokens)]:] {
			c[id]++
		}
		counts = append(counts, c)
	}
	return counts, tokens
}

// RoutedSince counts, for each mixture layer, how often each expert worked on the tokens behind the first n, and says how many
// tokens there are now. A job that was not asked to keep its routing gives nothing.
func (j *Job) RoutedSince(n int) ([]map[int32]int, int) {
	if j.routing == nil {
		return nil, 0
	}
	return j.routing.tail(n)
}

// table is [tokens, layers, k], empty places -1.
func (g *routingLog) table() (ids []int32, tokens, layers, k int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	layers, tokens = len(g.layers), -1
	for _, l := range g.layers {
		if n := len(l.start) - 1; tokens < 0 || n < tokens {
			tokens = n // a step that was cut short may have reached some layers only
		}
	}
	tokens = max(tokens, 0)
	for _, l := range g.layers {
		for t := range tokens {
			k = max(k, int(l.start[t+1]-l.start[t]))
		}
	}
	for t := range tokens {
		for _, l := range g.layers {
			of := l.expert[l.start[t]:l.start[t+1]]
			ids = append(ids, of...)
			for range k - len(of) {
				ids = append(ids, -1)
			}
		}
	}
	return ids, tokens, layers, k
}
