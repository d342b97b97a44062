// Package policy carries out a routing decision: it answers a request by a local model or by an upstream, within the guard, the
// budget and the cascade, and falls back where something fails.
//
//	Choice → chain of models → guard → circuit → budget → upstream │ local → events, Decision, ledger
//
// What a request can count on:
//   - A request that is local_only, or that the guard holds back, never reaches an upstream, whatever else breaks: an upstream takes
//     nothing but a guard.Cleared, and a guard that fails makes none.
//   - A failure before the first event is answered by the next model of the chain, the last of which is Core.Fallback.
//   - After the first event nothing is mixed: a stream that breaks ends with its error, and what was sent stands.
//   - In a cascade the local model answers first. Its events are held back until it is judged (cascade.Options.First says on how many
//     tokens); then they are sent, or the upstream's are.
//   - Every request is counted once in the budget and entered once in the ledger, when its Run is closed.
package policy
