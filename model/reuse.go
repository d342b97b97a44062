package model

// Reuse prepares the session for a text of these ids: what it holds of them stays, the rest is forgotten, and the ids that
// are left to compute are returned (at least one, so that there are logits to go on from). The answer has the same bits as
// with an empty session.
func (s *Session) Reuse(ids []int32) []int32 {
	s.pending = s.pending[:0]
	held := s.seq.Tokens()
	n := 0
	for n < len(held) && n < len(ids)-1 && held[n] == ids[n] {
		n++
	}
	if s.mixed {
		n, s.mixed = 0, false
	}
	if s.seq.plan != s.m.spec.Rope.plan(0, len(ids)) {
		n = 0 // another variant of the rotary embedding than the text would have alone
	}
	s.seq.Truncate(n)
	return ids[n:]
}
