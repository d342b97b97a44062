package serve

import (
	"encoding/base64"
	"encoding/binary"
)

// routing tells which experts worked on every token that was computed: prompt and answer without the last token, which
// nobody computes. Shape is [tokens, layers, k]; layers are the mixtures only; -1 stands where a token has fewer experts.
type routing struct {
	Shape []int   `json:"shape"`
	DType string  `json:"dtype"`
	Data  string  `json:"data,omitempty"` // base64 of little-endian int32
	IDs   []int32 `json:"ids,omitempty"`  // the same, flat, where "json" was asked for
}

// routed is the routing of a choice that has ended, nil where it was not asked for.
func (g *run) routed(choice int) *routing {
	if g.p.routing == "" || g.p.routing == "live" {
		return nil
	}
	ids, tokens, layers, k := g.jobs[choice].Routed()
	out := &routing{Shape: []int{tokens, layers, k}, DType: "int32"}
	if g.p.routing == "json" {
		out.IDs = ids
		return out
	}
	raw := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(id))
	}
	out.Data = base64.StdEncoding.EncodeToString(raw)
	return out
}
