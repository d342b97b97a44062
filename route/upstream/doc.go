// Package upstream asks a model elsewhere that speaks the OpenAI API, through the official client library.
//
//	guard.Cleared → circuit → body (request.go) → attempt (watch.go) → answer or stream → usage
//
// Only what a guard has cleared can be sent. Every wait has a bound, answers have a bound on their size, redirects to
// another host are not followed, and every failure is an [Error] with a kind from a closed list that is safe to log:
// neither the key nor any text is in it.
//
// What failed before its first event is tried again where the upstream cannot have charged for it: not connected, 408, 429, 5xx, or cut before
// any answer. A server that keeps silent is not asked twice. After several failures in a row the upstream is skipped for a while.
package upstream
