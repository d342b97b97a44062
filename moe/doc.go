// Package moe is the mixture of experts: who works on which token, and the work itself.
//
//	x [T,H] → Gate → Routing (CSR: experts and weights of each token) → Plan (pairs sorted by expert)
//	        → Experts (gate·up → activation → down, expert by expert) → combine in slot order (+ shared experts)
//
// The five types: [GateSpec] (what a gate does, as data), [Gate] (the one interface of an experiment), [Routing],
// [Plan], [Block] (a whole layer). The gate never sees the experts; the experts never see the gate.
//
// Letters: T tokens, H hidden width, E routed experts, K experts per token, I width of an expert, N (token, slot) pairs,
// S shared slots of a router.
//
// Two caveats. Scratch is kept in a [State] and in gates, so both serve one forward pass at a time. Ties of scores go to
// the lower expert id, which the reference implementations leave open.
package moe
