// Package grammar restricts what a model generates to JSON that fits a schema, by masks over the vocabulary.
//
// A schema becomes a tree of nodes over bytes (schema.go); an automaton walks it with a stack for recursion, making states as
// they are met (state.go); a state's mask is the set of tokens whose bytes lead to another state, found by walking the
// sorted vocabulary once and kept (mask.go). Every node knows the fewest tokens that end it, so that a text which runs out of
// tokens is led to its end in time: what is generated always parses and fits, wherever the limit cuts.
//
// The texts allowed are a subset of what fits the schema: no blanks but one behind ':' and ',', properties in the order of
// the schema, no properties that the schema does not name where it names some, numbers of at most 15 digits before and
// behind the point.
package grammar
