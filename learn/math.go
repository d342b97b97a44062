package learn

import "math"

func logOf(p float32) float64 { return math.Log(max(float64(p), 1e-30)) }

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
