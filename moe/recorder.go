package moe

// RecordWhat says what a Recorder keeps beside ids and weights.
type RecordWhat int

// RecordRouting keeps ids and weights; RecordLogits the raw router logits too.
const (
	RecordRouting RecordWhat = iota
	RecordLogits
)

// Recorder is an Observer that keeps the routing of every layer in memory, call after call. It is for runs of one
// sequence at a time; it is not safe for concurrent use.
type Recorder struct {
	what   RecordWhat
	layers map[int]*Record
}

// NewRecorder makes an empty recorder.
func NewRecorder(what RecordWhat) *Recorder {
	return &Recorder{what: what, layers: map[int]*Record{}}
}

// ObserveRouting implements Observer.
func (c *Recorder) ObserveRouting(layer int, r *Routing) {
	rec := c.layers[layer]
	if rec == nil {
		rec = &Record{E: r.E, Start: []int32{0}}
		c.layers[layer] = rec
	}
	base := int32(len(rec.Expert))
	for _, s := range r.Start[1:] {
		rec.Start = append(rec.Start, base+s)
	}
	rec.Expert = append(rec.Expert, r.Expert...)
	rec.Weight = append(rec.Weight, r.Weight...)
	if c.what == RecordLogits {
		rec.Logits = append(rec.Logits, r.Logits.Data...)
	}
}

// Layer is the record of one layer; an empty one where nothing was seen.
func (c *Recorder) Layer(i int) *Record {
	if r := c.layers[i]; r != nil {
		return r
	}
	return &Record{Start: []int32{0}}
}

// Wrap is a gate that routes as g does and shows the recorder what g decided.
func (c *Recorder) Wrap(g Gate) Gate { return recorded{g, c} }

type recorded struct {
	gate Gate
	to   *Recorder
}

// Route implements Gate.
func (g recorded) Route(dst *Routing, c Call) error {
	if err := g.gate.Route(dst, c); err != nil {
		return err
	}
	g.to.ObserveRouting(c.Layer, dst)
	return nil
}

// CrossToken implements CrossToken as the wrapped gate does.
func (g recorded) CrossToken() bool {
	return crosses(g.gate)
}
