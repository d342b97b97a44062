package report

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// shownTokens bounds the tokens of a page; maxTexts the labels that they come from.
const (
	shownTokens = 1200
	maxTexts    = 12
)

// Texts are the tokens of a trace that a page shows.
type Texts struct {
	tok    *tokenizer.Tokenizer // or nil
	tokens []shownToken
}

type shownToken struct {
	label, text string
	data        dataToken
}

// readTexts takes the beginning of every label's first texts, as many tokens of each.
func readTexts(ctx context.Context, r *trace.Reader, tok *tokenizer.Tokenizer) (*Texts, error) {
	x := &Texts{tok: tok}
	labels := map[string]int{}
	for _, l := range r.Labels {
		if _, ok := labels[l]; !ok && len(labels) < maxTexts {
			labels[l] = 0
		}
	}
	each := shownTokens / len(labels)
	var stream *tokenizer.Stream
	for p, err := range r.Pieces(ctx) {
		if err != nil {
			return nil, err
		}
		label := r.Labels[p.Seq]
		n, ok := labels[label]
		if p.Pos == 0 && tok != nil {
			stream = tok.NewStream(false)
		}
		for t := range p.IDs {
			if !ok || n == each {
				break
			}
			n++
			x.tokens = append(x.tokens, shownToken{label, x.text(stream, p.IDs[t]), tokenOf(p, t)})
		}
		if ok {
			labels[label] = n
		}
		if done(labels, each) {
			break
		}
	}
	return x, nil
}

func done(labels map[string]int, each int) bool {
	for _, n := range labels {
		if n < each {
			return false
		}
	}
	return true
}

// text is what a token adds to the text; a token that ends inside a character shows as a dotted circle.
func (x *Texts) text(s *tokenizer.Stream, id int32) string {
	if x.tok == nil || int(id) >= x.tok.VocabSize() {
		return fmt.Sprintf("%d ", id)
	}
	if text := s.Next(id); text != "" {
		return visible(text)
	}
	return "◌"
}

// word is one token by itself.
func (x *Texts) word(id int32) string {
	if x.tok == nil {
		return fmt.Sprint(id)
	}
	text, err := x.tok.Decode([]int32{id}, false)
	if err != nil || text == "" {
		return fmt.Sprint(id)
	}
	return strings.ReplaceAll(visible(text), "\n", "")
}

// visible shows what would not be seen, or would disturb what stands around it: controls, bidirectional marks.
func visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			out.WriteString("⏎\n")
		case r == '\t':
			out.WriteString("⇥\t")
		case r < 0x20:
			out.WriteRune(0x2400 + r)
		case r == 0x7f:
			out.WriteRune(0x2421)
		case !unicode.IsGraphic(r):
			fmt.Fprintf(&out, "⟨%04X⟩", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func tokenOf(p *trace.Piece, t int) dataToken {
	d := dataToken{ID: p.IDs[t], Pos: p.Pos + t}
	for c := range p.Routing {
		ids, weights := p.Routing[c].Of(t)
		w := make([]rounded, len(weights))
		for j, v := range weights {
			w[j] = rounded(v)
		}
		d.Experts, d.Weights = append(d.Experts, append([]int32{}, ids...)), append(d.Weights, w)
	}
	if p.LogProb != nil && p.LogProb[t] == p.LogProb[t] && p.LogProb[t] > -1e9 {
		v := rounded(p.LogProb[t])
		d.LogProb = &v
	}
	return d
}

func (x *Texts) data() []dataToken {
	out := make([]dataToken, len(x.tokens))
	for i, t := range x.tokens {
		out[i] = t.data
	}
	return out
}

// textView is the tokens of one label.
type textView struct {
	Name   string
	Tokens []tokenView
}

type tokenView struct {
	Row, Hue int
	Text     string
}

// views groups the tokens by label, coloured by the layer that the page begins with.
func (x *Texts) views(m *Metrics) []textView {
	var out []textView
	at := map[string]int{}
	c := sharpest(m)
	for row, t := range x.tokens {
		i, ok := at[t.label]
		if !ok {
			i = len(out)
			at[t.label] = i
			out = append(out, textView{Name: t.label})
		}
		hue := 0
		if ids := t.data.Experts[c]; len(ids) > 0 {
			hue = (360*int(ids[0])/m.Layers[c].Experts + 137*(int(ids[0])%2)) % 360
		}
		out[i].Tokens = append(out[i].Tokens, tokenView{row, hue, t.text})
	}
	return out
}
