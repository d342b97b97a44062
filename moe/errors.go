package moe

import "errors"

// ErrBadScore is returned when a router's logit is NaN, or leads to a weight that is not finite: the weights or the
// input are damaged.
var ErrBadScore = errors.New("router score is not a number")

// ErrGate is returned for a gate specification, an override of one, or weights of one, that cannot work, and for a gate
// that breaks its contract.
var ErrGate = errors.New("bad gate")
