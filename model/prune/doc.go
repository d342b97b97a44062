// Package prune makes smaller checkpoints of mixtures: experts that matter least, or that are named, are left out of every
// layer, and the router's rows with them. The result is a Hugging Face folder like its source: same names, same dtypes,
// fewer experts, the number of them changed in config.json. Weights are not touched.
//
//	Measure (a trace) → Scores → Choose → Keep → Write
package prune
