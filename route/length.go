package route

import "context"

// Length matches conversations of more than Over and of less than Under characters; a bound below 0 is none.
type Length struct{ Over, Under int }

// Read implements Signal.
func (l Length) Read(_ context.Context, p *Prompt) (Reading, error) {
	n := p.size()
	return rule((l.Over < 0 || n > l.Over) && (l.Under < 0 || n < l.Under), ReasonLength)
}
