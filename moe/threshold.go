package moe

// NewThreshold is the rule of top-any gating (DynMoE, arXiv 2405.14297): every expert whose score is at least a threshold,
// the best one where there is none, by falling choice score, at least least and at most most (0: all). Scores are the
// spec's; the paper's are sigmoids of cosines and its experts weigh alike, while here they are weighed as the spec says.
// It is an [Edit].
func NewThreshold(spec GateSpec, w RouterWeights, threshold float32, least, most int) (*Router, error) {
	r, err := NewGate(spec, w)
	if err != nil {
		return nil, err
	}
	return Edit{Threshold: &threshold, Min: least, Max: most}.Apply(r, &spec)
}

// above is the number of leading ids whose score is at least a threshold.
func above(ids []int32, score []float32, threshold float32) int {
	n := 0
	for n < len(ids) && score[ids[n]] >= threshold {
		n++
	}
	return n
}
