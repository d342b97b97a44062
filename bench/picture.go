package bench

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/bench/roofline"
)

// KernelPicture places kernels on the rooflines of their level and number of threads: a series for each operation and dtype,
// its points labelled by rows.
func KernelPicture(rows []KernelRow) roofline.Picture {
	p := roofline.Picture{Title: "Kernels against this machine"}
	for i := range rows {
		r := &rows[i]
		n := panel(&p, fmt.Sprintf("%s, %d threads", r.Level, r.Threads))
		limit(&n.Slopes, "memory", r.Memory)
		limit(&n.Slopes, "caches", r.Read)
		peaks(n, r.F32, r.Int8, r.BF16)
		n.Points = append(n.Points, roofline.Point{
			Series: r.Op + " " + r.DType, Kind: r.DType, Label: fmt.Sprint(r.Rows), Intensity: r.Ops / r.Bytes, Rate: r.Gops,
		})
	}
	return p
}

// ModelPicture places models likewise: a series for each model and form of its weights, its points labelled by tests.
func ModelPicture(rows []ModelRow) roofline.Picture {
	p := roofline.Picture{Title: "Models against this machine"}
	for i := range rows {
		r := &rows[i]
		n := panel(&p, fmt.Sprintf("%s, %d threads", r.Level, r.Threads))
		limit(&n.Slopes, "memory", r.Read)
		peaks(n, r.F32, r.Int8, r.BF16)
		n.Points = append(n.Points, roofline.Point{
			Series: r.Shape + " " + r.Quant, Kind: r.Quant, Label: r.Test, Intensity: r.Ops / r.Bytes, Rate: r.TokS * r.Ops / 1e9,
		})
	}
	return p
}

// panel finds or makes the panel of a title.
func panel(p *roofline.Picture, title string) *roofline.Panel {
	for i := range p.Panels {
		if p.Panels[i].Title == title {
			return &p.Panels[i]
		}
	}
	p.Panels = append(p.Panels, roofline.Panel{Title: title})
	return &p.Panels[len(p.Panels)-1]
}

func peaks(n *roofline.Panel, f32, int8, bf16 float64) {
	limit(&n.Ceilings, "f32", f32)
	limit(&n.Ceilings, "int8", int8)
	limit(&n.Ceilings, "bf16", bf16)
}

// limit keeps the best of each name.
func limit(list *[]roofline.Line, name string, v float64) {
	for i := range *list {
		if l := &(*list)[i]; l.Name == name {
			l.Rate = max(l.Rate, v)
			return
		}
	}
	*list = append(*list, roofline.Line{Name: name, Rate: v})
}
