package serve

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// expertsHeader tells which experts did most of a request's work: for every mixture layer its number and its busiest experts
// with the tokens that each had, "0:5=34,2=20;1:…". A stream has it as a trailer. It is there where routing was asked for.
const (
	expertsHeader = "X-Switchyard-Expert-Load"
	expertsShown  = 4 // of a layer, so that the header stays small in a model of many experts
)

// expertLoad is the header's value for what was computed so far, all choices together; "" where routing is not recorded.
func (g *run) expertLoad() string {
	if g.p.routing == "" {
		return ""
	}
	var count []map[int32]int
	for _, j := range g.jobs {
		ids, tokens, layers, k := j.Routed()
		if count == nil {
			count = make([]map[int32]int, layers)
		}
		for i, id := range ids[:tokens*layers*k] {
			addExpert(count, i/k%layers, id)
		}
	}
	var parts []string
	for row, layer := range g.l.m.Spec().MoELayers() {
		if row < len(count) && len(count[row]) > 0 {
			parts = append(parts, fmt.Sprintf("%d:%s", layer, busiest(count[row])))
		}
	}
	return strings.Join(parts, ";")
}

func addExpert(count []map[int32]int, row int, id int32) {
	if id < 0 {
		return // an empty place
	}
	if count[row] == nil {
		count[row] = map[int32]int{}
	}
	count[row][id]++
}

// busiest lists the experts of a layer by falling load, equal ones by number.
func busiest(count map[int32]int) string {
	ids := make([]int32, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int32) int {
		if d := count[b] - count[a]; d != 0 {
			return d
		}
		return int(a - b)
	})
	ids = ids[:min(len(ids), expertsShown)]
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprintf("%d=%d", id, count[id])
	}
	return strings.Join(list, ",")
}

// setExperts sets the header, or behind a stream the trailer.
func (g *run) setExperts(h http.Header, prefix string) {
	if v := g.expertLoad(); v != "" {
		h.Set(prefix+expertsHeader, v)
	}
}
