package report

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Summary writes the first answer as text: the expert that each text uses most, layer by layer, with its share of the
// text's decisions; of at most maxMaps texts.
func (r *Report) Summary(w io.Writer) error {
	m := r.Traces[0]
	labels := shownLabels(m)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "layer")
	for _, name := range labels {
		fmt.Fprintf(t, "\t%s", plain(name))
	}
	fmt.Fprintln(t, "\teven")
	for c, l := range m.Layers {
		fmt.Fprintf(t, "%d", l.Layer)
		for _, name := range labels {
			share := m.Labels[name].Layers[c].Share
			top := slices.Max(share)
			fmt.Fprintf(t, "\texpert %d %s", slices.Index(share, top), percent(top))
		}
		fmt.Fprintf(t, "\t%s\n", percent(1/float64(l.Experts)))
	}
	return t.Flush() // the first error of the writer below
}
