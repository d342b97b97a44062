package eval

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Trial is one gate, as text of the language of gates on top of the model's own, and how well it did. The empty text is
// the model as it is.
type Trial struct {
	Gate string `json:"gate"`
	Score
}

// SweepOptions say what is tried.
type SweepOptions struct {
	Options                     // Gate and Loss are not looked at
	Gates   []string            // the empty one is always tried, first
	Done    map[string]Score    // trials that need not be made again
	Each    func(t Trial) error // is given every trial that was made; may be nil
	Room    int                 // bytes for residual streams; 0: 1 GiB
}

// Sweep tries every gate on one text and gives the trials in the order of o.Gates, the model as it is first. All gates are
// compiled before anything is computed.
//
// A gate that leaves the first layers as they are need not compute them: the residual stream in front of the first layer
// that it changes is kept from the model as it is. That changes no bit of the result.
func Sweep(ctx context.Context, m *model.Model, ids []int32, o SweepOptions) ([]Trial, error) {
	r, err := newReader(m, ids, o.Options)
	if err != nil {
		return nil, err
	}
	s := &sweep{r: r, o: o, score: map[string]Score{}}
	if err := s.compile(); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	out := make([]Trial, len(s.gates))
	for i, g := range s.gates {
		out[i] = Trial{g.text, s.score[g.text]}
	}
	return out, nil
}

type sweep struct {
	r     *reader
	o     SweepOptions
	gates []gate
	score map[string]Score
	made  int // trials with a score
}

// gate is one trial: first is the first layer that it changes, or the number of layers.
type gate struct {
	text  string
	use   *model.GateOverride
	first int
}

func (s *sweep) compile() error {
	seen := map[string]bool{}
	for _, text := range append([]string{""}, s.o.Gates...) {
		if seen[text] {
			continue
		}
		seen[text] = true
		use, err := s.r.m.CompileGate(text)
		if err != nil {
			return fmt.Errorf("gate %q: %w", text, err)
		}
		s.gates = append(s.gates, gate{text, use, firstChanged(s.r.m.Gates(nil), s.r.m.Gates(use))})
	}
	return nil
}

// firstChanged is the first layer whose gate is another one.
func firstChanged(a, b []*moe.Variant) int {
	for i := range a {
		if a[i] == nil || a[i] == b[i] {
			continue
		}
		x, y := *a[i], *b[i]
		x.Gate, y.Gate = nil, nil // as the rest says, or as Edits says
		if !reflect.DeepEqual(x, y) {
			return i
		}
	}
	return len(a)
}

// run makes the trials layer by layer of their first change, as many layers at a time as there is room for streams.
func (s *sweep) run(ctx context.Context) error {
	var layers []int
	for _, g := range s.gates {
		if _, done := s.o.Done[g.text]; !done && g.text != "" && g.first < len(s.r.m.Gates(nil)) && !slices.Contains(layers, g.first) {
			layers = append(layers, g.first)
		}
	}
	slices.Sort(layers)
	for _, g := range s.gates {
		if done, ok := s.o.Done[g.text]; ok {
			s.score[g.text] = done
			s.made++
		}
	}
	room := s.room()
	base, known := s.score[""]
	for first := true; first || len(layers) > 0; first = false {
		n := min(room, len(layers))
		if n == 0 && len(layers) > 0 {
			n = len(layers) // no room: every trial runs all layers
		}
		kept := newStreams(s.r, layers[:min(n, room)])
		if !known || len(kept.x) > 0 {
			score, err := s.r.score(ctx, s.options(nil), &recording{s.r, kept})
			if err != nil {
				return err
			}
			if base = score; !known {
				if err := s.took("", base); err != nil {
					return err
				}
				known = true
			}
		}
		if err := s.group(ctx, layers[:n], kept, base); err != nil {
			return err
		}
		layers = layers[n:]
	}
	return nil
}

// room is how many layers' streams fit.
func (s *sweep) room() int {
	bytes := s.o.Room
	if bytes == 0 {
		bytes = 1 << 30
	}
	rows := 0
	for _, w := range s.r.list {
		rows += w.to - w.from
	}
	return bytes / max(1, 4*rows*s.r.m.Spec().Hidden)
}

// group makes the trials whose first change is in one of the layers, and those that change nothing.
func (s *sweep) group(ctx context.Context, layers []int, kept *streams, base Score) error {
	for _, g := range s.gates {
		if _, done := s.score[g.text]; done {
			continue
		}
		if g.first == len(s.r.m.Gates(nil)) { // the model as it is, by another name
			if err := s.took(g.text, base); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(layers, g.first) {
			continue
		}
		var run stepper = plain{s.r}
		if x, ok := kept.x[g.first]; ok {
			run = &resuming{s.r, kept, g.first, x}
		}
		score, err := s.r.score(ctx, s.options(g.use), run)
		if err != nil {
			return fmt.Errorf("gate %q: %w", g.text, err)
		}
		if err := s.took(g.text, score); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) options(use *model.GateOverride) Options {
	o := Options{Gate: use}
	if s.o.Progress != nil {
		o.Progress = func(done, of int) { s.o.Progress(s.made*of+done, len(s.gates)*of) }
	}
	return o
}

func (s *sweep) took(text string, score Score) error {
	s.score[text] = score
	s.made++
	if s.o.Each == nil {
		return nil
	}
	return s.o.Each(Trial{text, score})
}

// streams are residual streams in front of the feed-forward of some layers, for all tokens of all windows.
type streams struct {
	x    map[int]tensor.Mat // layer → [Σ tokens, H]
	base []int              // first row of a window
	list []window
	at   int // row of the step that is recorded
}

func newStreams(r *reader, layers []int) *streams {
	s := &streams{x: map[int]tensor.Mat{}, list: r.list}
	rows := 0
	for _, w := range r.list {
		s.base = append(s.base, rows)
		rows += w.to - w.from
	}
	for _, l := range layers {
		s.x[l] = tensor.NewMat(rows, r.m.Spec().Hidden)
	}
	return s
}

// row is where token a of window w stands.
func (s *streams) row(w, a int) int { return s.base[w] + a - s.list[w].from }

// Points implements moe.Hook.
func (s *streams) Points() moe.Point {
	if len(s.x) == 0 {
		return 0
	}
	return moe.PointResidualIn
}

// At implements moe.Hook.
func (s *streams) At(_ moe.Point, v *moe.View) error {
	if x, ok := s.x[v.Layer]; ok {
		for t := range v.X.Rows {
			copy(x.Row(s.at+t), v.X.Row(t))
		}
	}
	return nil
}

// recording runs all layers and keeps streams.
type recording struct {
	r    *reader
	kept *streams
}

func (c *recording) step(ctx context.Context, w int, sp model.Span, a int) error {
	c.kept.at = c.kept.row(w, a)
	return c.r.m.Step(ctx, model.Batch{sp}, moe.Observe(c.kept))
}

// resuming runs from the feed-forward of a layer on.
type resuming struct {
	r     *reader
	kept  *streams
	layer int
	x     tensor.Mat
}

func (c *resuming) step(ctx context.Context, w int, sp model.Span, a int) error {
	row := c.kept.row(w, a)
	return c.r.m.StepFrom(ctx, model.Batch{sp}, c.layer, c.x.Slice(row, row+len(sp.Tokens)))
}
