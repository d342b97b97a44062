package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// inspection is what `inspect --json` prints.
type inspection struct {
	Model   string             `json:"model"`
	Level   string             `json:"level"`
	Threads int                `json:"threads"`
	Spec    *model.Spec        `json:"spec"`
	Gates   []layerGate        `json:"gates"`
	Quant   string             `json:"quant"`   // form of the large matrices
	Schemes []model.SchemeSize `json:"schemes"` // what each --quant would make of them; empty where they are quantised
	Bytes   int64              `json:"bytes"`
	Mapped  int64              `json:"mapped_bytes"`
	Tensors []loader.Claim     `json:"tensors"`
}

type layerGate struct {
	Layer int          `json:"layer"`
	Gate  moe.GateSpec `json:"gate"`
	Edits string       `json:"edits,omitempty"` // interventions in force
}

func inspectCommand(ctx context.Context, s stdio, args []string) error {
	var f modelFlags
	fs := newFlags(s, "inspect", "[-m DIR] [--json]")
	f.add(fs)
	asJSON := fs.Bool("json", false, "print one JSON object")
	tensors := fs.Bool("tensors", false, "list every tensor")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	}
	if f.isEncoder() {
		return inspectEncoder(s, &f, *asJSON)
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	in := inspect(m, f.name())
	if *asJSON {
		return encode(s.out, in)
	}
	return in.print(s.out, *tensors)
}

func inspect(m *model.Model, name string) inspection {
	in := inspection{Model: name, Level: m.Level(), Threads: m.Threads(), Spec: m.Spec(), Tensors: m.Claims(), Gates: []layerGate{},
		Quant: m.Quant(), Schemes: m.Schemes()}
	for _, i := range m.Spec().MoELayers() {
		in.Gates = append(in.Gates, layerGate{i, m.Spec().Layers[i].MoE.Gate, m.Gates(nil)[i].Edits})
	}
	for _, t := range in.Tensors {
		in.Bytes += int64(t.Bytes)
		if t.Mapped {
			in.Mapped += int64(t.Bytes)
		}
	}
	return in
}

func (in *inspection) print(out io.Writer, tensors bool) error {
	s := in.Spec
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "model\t%s\nfamily\t%s\nlayers\t%d (%d mixtures of experts)\nhidden\t%d\nvocabulary\t%d%s\ncontext\t%d\n",
		in.Model, s.Family, len(s.Layers), len(in.Gates), s.Hidden, s.Vocab, note(s.Tied, ", head tied to the embedding"), s.Context)
	fmt.Fprintf(w, "norm\t%s, epsilon %g\nrope\t%s, theta %g, %d of each head%s\n", s.Norm, s.NormEps, s.Rope.Kind, s.Rope.Theta, s.Rope.Dim,
		note(s.Rope.Factor != 0, fmt.Sprintf(", factor %g", s.Rope.Factor)))
	for _, x := range []struct {
		name string
		v    float32
	}{{"embedding scale", s.EmbedScale}, {"residual scale", s.ResidualScale}, {"logit divisor", s.LogitDivisor}} {
		if x.v != 0 && x.v != 1 {
			fmt.Fprintf(w, "%s\t%g\n", x.name, x.v)
		}
	}
	fmt.Fprintf(w, "end of text\t%v\n", s.EOS)
	fmt.Fprintf(w, "tensors\t%d, %s, of which mapped %s\n", len(in.Tensors), size(in.Bytes), size(in.Mapped))
	fmt.Fprintf(w, "quantised\t%s\n", in.Quant)
	for _, x := range in.Schemes {
		fmt.Fprintf(w, "  as %s\t%d matrices, %s -> %s, all tensors then %s\n", x.Scheme, x.Tensors, size(x.Before), size(x.After), size(x.Total))
	}
	fmt.Fprintf(w, "kernels\t%s, %d threads\n", in.Level, in.Threads)
	if err := w.Flush(); err != nil {
		return err
	}
	in.layers(out)
	if tensors {
		in.list(out)
	}
	return nil
}

// layers prints a line for each layer: attention, feed-forward, gate. Equal neighbours share a line.
func (in *inspection) layers(out io.Writer) {
	fmt.Fprintln(out)
	s := in.Spec
	edits := map[int]string{}
	for _, g := range in.Gates {
		edits[g.Layer] = note(g.Edits != "", "  edits      "+g.Edits+"\n")
	}
	for a := 0; a < len(s.Layers); {
		line, b := layerLine(&s.Layers[a])+edits[a], a+1
		for b < len(s.Layers) && layerLine(&s.Layers[b])+edits[b] == line {
			b++
		}
		name := fmt.Sprintf("layer %d", a)
		if b > a+1 {
			name = fmt.Sprintf("layers %d-%d", a, b-1)
		}
		fmt.Fprintf(out, "%s\n%s", name, line)
		a = b
	}
}

func layerLine(l *model.Layer) string {
	a := &l.Attention
	line := fmt.Sprintf("  attention  %d heads, %d of keys and values, %d wide%s%s%s%s%s\n", a.Heads, a.KVHeads, a.HeadDim,
		note(a.QKNorm != "", ", q and k normed ("+string(a.QKNorm)+")"), note(a.QKVBias, ", biases"),
		note(a.Clip != 0, fmt.Sprintf(", clipped to ±%g", a.Clip)), note(a.Window != 0, fmt.Sprintf(", window %d", a.Window)),
		note(a.Scale != 0, fmt.Sprintf(", scale %g", a.Scale)))
	if l.Dense != nil {
		return line + fmt.Sprintf("  dense      %d wide\n", l.Dense.Width)
	}
	if b := l.MoE.Block.Shared; b != nil {
		line += fmt.Sprintf("  shared     %d wide%s\n", b.Width, note(b.Gate != "", ", gated by "+string(b.Gate)))
	}
	return line + fmt.Sprintf("  experts    %d, %d wide\n  gate       %s\n", l.MoE.Gate.Experts, l.MoE.Width, l.MoE.Gate.String())
}

func (in *inspection) list(out io.Writer) {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "tensor\tdtype\tshape\tsize\tfile\t")
	for _, t := range in.Tensors {
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\t%s\n", t.Name, t.DType, t.Shape, size(int64(t.Bytes)), t.File, note(!t.Mapped, "repacked"))
	}
	w.Flush()
}

func note(on bool, text string) string {
	if !on {
		return ""
	}
	return text
}

// size prints bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
