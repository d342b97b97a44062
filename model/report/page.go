package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// Bounds of a page, so that it stays one that a browser opens.
const (
	maxMaps    = 12 // labels that have a map of their own
	maxMatrix  = 64 // experts of a co-activation matrix
	maxEntropy = 32 // layers whose words are listed
)

// page is what the template draws.
type page struct {
	Title       string
	CSS         template.CSS
	JS          template.JS
	Several     bool
	Comparisons []*Comparison
	Traces      []*traceView
}

// traceView is one trace on the page.
type traceView struct {
	ID, File, Gate         string
	Tiles                  []named
	Uniform, Top           string
	Maps                   []heat
	MoreLabels             int
	Wide                   bool // a map needs a row of its own
	Layers                 []layerView
	Sharpest               int // the column whose texts differ most
	HasLookahead           bool
	Charts                 []chart
	Cut                    int
	Words                  []words
	Texts                  []textView
	TokensShown, TokensAll int
	TokensCut              bool
	Data                   pageData
}

type named struct{ Name, Value string }

// layerView is a row of the table of balance.
type layerView struct {
	*Layer
	Column                     int
	EntropyText, LookaheadText string
	SparkWidth                 int
	Spark                      []box
}

// box is a rectangle of a drawing, with what it says.
type box struct {
	X, Y, H float64
	V       float64 // 0 to 1, of the colour scale
	Title   string
}

type words struct {
	Layer int
	List  []word
}

type word struct {
	Word
	Text string
}

// pageData is what the page's script draws from.
type pageData struct {
	Layers   []dataLayer            `json:"layers"`
	Labels   []dataLabel            `json:"labels"`
	Matrices []map[string]*dataPair `json:"matrices"`
	Tokens   []dataToken            `json:"tokens"`
}

type dataLayer struct {
	Layer   int `json:"layer"`
	Experts int `json:"experts"`
}

type dataLabel struct {
	Name  string      `json:"name"`
	Share [][]rounded `json:"share"`
}

type dataPair struct {
	Rows []int       `json:"rows"`
	Cols []int       `json:"cols"`
	P    [][]rounded `json:"p"`
}

type dataToken struct {
	ID      int32       `json:"id"`
	Pos     int         `json:"pos"`
	LogProb *rounded    `json:"lp,omitempty"`
	Experts [][]int32   `json:"e"`
	Weights [][]rounded `json:"w"`
}

// rounded is a number of which a page shows three places.
type rounded float64

// MarshalJSON implements json.Marshaler.
func (r rounded) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(float64(r)*1000)/1000, 'g', -1, 64), nil
}

// Write writes the page: one self-contained HTML document, the same bytes for the same traces.
func (r *Report) Write(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"percent": percent, "number": number,
		"css": func(v float64) template.CSS { return template.CSS(strconv.FormatFloat(100*v, 'f', 1, 64) + "%") },
	}).Parse(pageHTML)
	if err != nil {
		return err
	}
	p := page{CSS: template.CSS(pageCSS), JS: template.JS(pageJS), Several: len(r.Traces) > 1, Comparisons: r.Comparisons}
	for i, m := range r.Traces {
		if i > 0 {
			p.Title += ", "
		}
		p.Title += m.File
		p.Traces = append(p.Traces, newView(fmt.Sprintf("trace-%d", i+1), m, r.Texts[i]))
	}
	return t.Execute(w, &p)
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }
func number(v float64) string  { return strconv.FormatFloat(v, 'f', 3, 64) }

func newView(id string, m *Metrics, x *Texts) *traceView {
	v := &traceView{
		ID: id, File: m.File, Gate: m.Gate, Tiles: tiles(m), Texts: x.views(m), TokensShown: len(x.tokens), TokensAll: m.Tokens,
		TokensCut: len(x.tokens) < m.Tokens, Sharpest: sharpest(m), Charts: charts(m), Words: wordLists(m, x),
	}
	v.maps(m)
	for c := range m.Layers {
		l := &m.Layers[c]
		v.Layers = append(v.Layers, newLayerView(c, l))
		v.HasLookahead = v.HasLookahead || l.Lookahead != nil
		v.Data.Layers = append(v.Data.Layers, dataLayer{l.Layer, l.Experts})
		v.Data.Matrices = append(v.Data.Matrices, v.matrices(m, c))
	}
	for _, name := range shownLabels(m) {
		d := dataLabel{Name: name}
		for _, l := range m.Labels[name].Layers {
			d.Share = append(d.Share, roundedAll(l.Share))
		}
		v.Data.Labels = append(v.Data.Labels, d)
	}
	v.Data.Tokens = x.data()
	return v
}

func tiles(m *Metrics) []named {
	experts := map[int]bool{}
	for _, l := range m.Layers {
		experts[l.Experts] = true
	}
	e := "mixed"
	if len(experts) == 1 {
		e = strconv.Itoa(m.Layers[0].Experts)
	}
	out := []named{
		{"tokens", strconv.Itoa(m.Tokens)}, {"texts", strconv.Itoa(len(m.Labels))}, {"sequences", strconv.Itoa(m.Sequences)},
		{"mixture layers", strconv.Itoa(len(m.Layers))}, {"experts a layer", e},
	}
	if m.LogProb != nil {
		out = append(out, named{"nats a token", number(-*m.LogProb)})
	}
	return out
}

// shownLabels are those with the most tokens, by name.
func shownLabels(m *Metrics) []string {
	names := sortedKeys(m.Labels)
	slices.SortStableFunc(names, func(a, b string) int { return m.Labels[b].Tokens - m.Labels[a].Tokens })
	names = names[:min(len(names), maxMaps)]
	slices.Sort(names)
	return names
}

// sharpest is the column whose labels differ most: the largest mean distance of their shares from those over all texts.
func sharpest(m *Metrics) int {
	best, top := 0, -1.0
	for c, l := range m.Layers {
		total := 0.0
		for _, n := range l.Load {
			total += float64(n)
		}
		d := 0.0
		for _, name := range sortedKeys(m.Labels) {
			for e, s := range m.Labels[name].Layers[c].Share {
				d += abs(s - float64(l.Load[e])/max(total, 1))
			}
		}
		if d > top {
			best, top = c, d
		}
	}
	return best
}

func abs(v float64) float64 { return max(v, -v) }

func newLayerView(c int, l *Layer) layerView {
	v := layerView{Layer: l, Column: c, EntropyText: "-", LookaheadText: "-", SparkWidth: 8 * l.Experts}
	if l.Entropy != nil {
		v.EntropyText = number(*l.Entropy)
	}
	if l.Lookahead != nil {
		v.LookaheadText = percent(l.Lookahead.Recall)
	}
	top := slices.Max(l.Load)
	for e, n := range l.Load {
		h := 20 * float64(n) / float64(max(top, 1))
		v.Spark = append(v.Spark, box{X: float64(8 * e), Y: 20 - h, H: h, Title: fmt.Sprintf("expert %d: %d", e, n)})
	}
	return v
}

// matrices are the drawn parts of one layer's co-activation and transition.
func (v *traceView) matrices(m *Metrics, c int) map[string]*dataPair {
	l := &m.Layers[c]
	rows := busiest(l)
	if len(rows) < l.Experts {
		v.Cut = maxMatrix
	}
	out := map[string]*dataPair{"together": cut(l.CoActivation, rows, rows)}
	if l.Transition != nil {
		out["next"] = cut(l.Transition, rows, busiest(&m.Layers[c+1]))
	}
	return out
}

// busiest are at most maxMatrix experts of a layer, in order of id.
func busiest(l *Layer) []int {
	out := make([]int, l.Experts)
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return int(l.Load[b] - l.Load[a]) })
	out = out[:min(len(out), maxMatrix)]
	slices.Sort(out)
	return out
}

func cut(p [][]float64, rows, cols []int) *dataPair {
	out := &dataPair{Rows: rows, Cols: cols}
	for _, i := range rows {
		row := make([]rounded, len(cols))
		for x, j := range cols {
			row[x] = rounded(p[i][j])
		}
		out.P = append(out.P, row)
	}
	return out
}

func roundedAll(list []float64) []rounded {
	out := make([]rounded, len(list))
	for i, v := range list {
		out[i] = rounded(v)
	}
	return out
}

func wordLists(m *Metrics, x *Texts) []words {
	var out []words
	for _, l := range m.Layers[:min(len(m.Layers), maxEntropy)] {
		w := words{Layer: l.Layer}
		for _, t := range l.Vocabulary["input"].Top[:min(8, len(l.Vocabulary["input"].Top))] {
			w.List = append(w.List, word{t, x.word(t.ID)})
		}
		if len(w.List) > 0 {
			out = append(out, w)
		}
	}
	return out
}
