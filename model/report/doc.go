// Package report says what traces of routing hold: metrics, one page to look at, and plots.
//
//	trace.Open → Measure → Metrics (metrics.json)
//	Make → Report → Write (page), WriteJSON, Plot (PNG, SVG)
//
// Everything is computed before anything is written. A page needs no network and no other file. Memory does not grow with
// the length of a trace; the page shows at most 1,200 of its tokens.
package report
