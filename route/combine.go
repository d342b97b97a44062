package route

import "context"

// All holds where every one of its signals does; the least sure of them speaks for it.
type All []Signal

// Read implements Signal.
func (a All) Read(ctx context.Context, p *Prompt) (Reading, error) {
	out := Reading{Match: true, Confidence: 1, Reason: ReasonAlways}
	for i, s := range a {
		r, err := s.Read(ctx, p)
		if err != nil || !r.Match {
			return r, err
		}
		if i == 0 || r.Confidence < out.Confidence {
			out = r
		}
	}
	return out, nil
}

// Any holds where one of its signals does; the first that does speaks for it, else the least sure.
type Any []Signal

// Read implements Signal.
func (a Any) Read(ctx context.Context, p *Prompt) (Reading, error) {
	var out Reading
	for i, s := range a {
		r, err := s.Read(ctx, p)
		if err != nil || r.Match {
			return r, err
		}
		if i == 0 || r.Confidence < out.Confidence {
			out = r
		}
	}
	return out, nil
}

// Not holds where its signal does not.
type Not struct{ Signal Signal }

// Read implements Signal.
func (n Not) Read(ctx context.Context, p *Prompt) (Reading, error) {
	r, err := n.Signal.Read(ctx, p)
	r.Match, r.Reason = !r.Match, ReasonNot
	return r, err
}
