package serve

import (
	"context"
	"errors"
	"iter"

	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// errEnough ends a run whose reader has gone.
var errEnough = errors.New("the reader has gone")

// localModel answers for a model of the server. Its events carry the news that the writers of answers take.
func (s *Server) localModel(name string) policy.Local {
	return policy.LocalFunc(func(ctx context.Context, _ policy.Request) iter.Seq2[policy.Event, error] {
		return func(yield func(policy.Event, error) bool) {
			a, _ := ctx.Value(askedKey{}).(*asked)
			p := *a.p
			p.model, p.scored = name, a.scored
			g, err := s.chat(a.r.WithContext(ctx), a.id, &p)
			if err != nil {
				yield(policy.Event{}, err)
				return
			}
			a.run = g
			left := len(g.jobs)
			err = g.answer(func(n news) error {
				if n.finish != "" {
					left--
				}
				for _, e := range g.events(n, a.scored, left == 0) {
					if !yield(e, nil) {
						return errEnough
					}
				}
				return nil
			})
			if err != nil && !errors.Is(err, errEnough) {
				yield(policy.Event{}, err)
			}
		}
	})
}

// events are one for the news of a choice, or where they are scored one for each token; the last of all has the usage.
func (g *run) events(n news, scored, last bool) []policy.Event {
	parts := []news{n}
	if scored && len(n.list) > 1 {
		parts = parts[:0]
		for i := range n.list {
			parts = append(parts, news{choice: n.choice, list: n.list[i : i+1]})
		}
		parts[len(parts)-1].finish = n.finish
	}
	var out []policy.Event
	for _, part := range parts {
		e := policy.Event{Data: part, Text: textOf(part.list), Finish: string(part.finish)}
		if scored && len(part.list) == 1 && part.list[0].ID >= 0 {
			e.LogProb, e.Scored = float64(part.list[0].LogProb), true
		}
		out = append(out, e)
	}
	if last {
		out[len(out)-1].Usage = &price.Usage{In: int64(g.usage.Prompt), Out: int64(g.usage.Completion)}
	}
	return out
}
