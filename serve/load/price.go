package load

import (
	"context"
	"fmt"
	"time"
)

// variant is a request with more members, whose speed is compared with that of plain ones.
type variant struct {
	test, about string
	more        func(rep int) map[string]any
}

// price measures the decode speed of one stream by variant, in turn; of each the best repetition counts. The first is the
// base of the ratios and has no row.
func (b *bench) price(ctx context.Context, list []variant, row func(Row) error) error {
	rows := make([]Row, len(list))
	for rep := range max(b.o.Reps, 1) {
		for i, v := range list {
			b.say("%s, %d of %d", v.test, rep+1, max(b.o.Reps, 1))
			s, err := b.askWith(ctx, b.url, b.prompt(b.o.Prompt), b.o.Generate, v.more(rep), nil)
			if err != nil {
				return fmt.Errorf("%s: %w", v.test, err)
			}
			if r := rate([]*stream{s}); r > rows[i].TokS {
				rows[i] = Row{Test: v.test, Streams: 1, TokS: r, Gap: ms(median(s.gaps())), WorstGap: ms(worst(s.gaps())), About: v.about}
			}
		}
	}
	for _, r := range rows[1:] {
		r.Ratio = r.TokS / rows[0].TokS
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

func plain(int) map[string]any { return nil }

// routing measures what telling the experts of every token costs.
func (b *bench) routing(ctx context.Context, row func(Row) error) error {
	if len(b.m.Spec().MoELayers()) == 0 {
		return nil
	}
	return b.price(ctx, []variant{
		{test: "plain", more: plain},
		{test: "routing", about: "ratio: with routing / without", more: func(int) map[string]any { return map[string]any{"routing": true} }},
	}, row)
}

// mask measures what a schema costs, of lists of strings whose lengths are bounded: one that was never met, whose masks are
// made as the text goes, and one that is known.
func (b *bench) mask(ctx context.Context, row func(Row) error) error {
	if _, err := b.m.Tokenizer(); err != nil {
		b.say("masks need a tokenizer: %v", err)
		return nil
	}
	stamp := time.Now().UnixNano() % 1e6
	schema := func(name string) map[string]any {
		item := map[string]any{"type": "string", "minLength": 2, "maxLength": 40}
		list := map[string]any{"type": "array", "items": item, "minItems": max(1, (b.o.Generate-30)/10)}
		doc := map[string]any{"type": "object", "properties": map[string]any{name: list}, "required": []string{name}, "additionalProperties": false}
		return map[string]any{"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "s", "strict": true, "schema": doc}}}
	}
	return b.price(ctx, []variant{
		{test: "plain", more: plain},
		{test: "mask first", about: "ratio: under a schema that was never met / without", more: func(rep int) map[string]any { return schema(fmt.Sprintf("p%d_%d", stamp, rep)) }},
		{test: "mask", about: "ratio: under a known schema / without", more: func(int) map[string]any { return schema("known") }},
	}, row)
}
